"""Texts of messages. Pure; whatever a header or a file name held, a subject is one printable line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agents.notifier.service import Failure, FieldProgress, Kind, RejectedFile, ScienceFrame
from schemas.vocabulary import CalibrationLevel, FrameState

_LONGEST_SUBJECT = 150
_MOST_FILES = 200


@dataclass(frozen=True)
class Message:
    """A message as it is kept and sent. Without a recipient it is for those whom the settings name."""

    notification_id: str
    night: str
    kind: Kind
    subject: str
    body: str
    recipient: str | None = None


def one_line(text: str, limit: int = _LONGEST_SUBJECT) -> str:
    """Text as one printable line, bounded: safe in a mail header."""
    cleaned = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(cleaned.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def failure_message(notification_id: str, failure: Failure) -> Message:
    """Message about a failed reduction: which, why, and what to do next."""
    frames = ", ".join(failure.frames) or failure.slot
    verb = failure.kind.replace("_", " ")
    again = failure.frames[0].removesuffix(".fits") if failure.frames else failure.night
    lines = [
        f"The reduction '{verb}' of {frames} failed after {failure.attempts} "
        f"{'try' if failure.attempts == 1 else 'tries'}.",
        "",
        f"Reason ({failure.code or 'unknown'}): {failure.error or 'none was given; the log may tell.'}",
        "",
        f"Night:  {failure.night}",
        f"Place:  {failure.slot}",
        f"Log:    {failure.log_path or 'none was written'}",
        "",
        "What to do next: read the log. Once the cause is mended, ask again with",
        f"    paws reprocess {again} --night {failure.night} --force",
        "or, if the frame itself is bad, take it out with",
        f'    paws junk {again} --night {failure.night} --reason "..."',
        "The rest of the night goes on meanwhile.",
    ]
    return _message(notification_id, failure.night, Kind.FAILURE, f"Failed: {verb} of {frames}", lines)


def rejections_message(notification_id: str, night: str, files: Sequence[RejectedFile]) -> Message:
    """Digest of rejected files: each with its reason."""
    count = len(files)
    noun = "file" if count == 1 else "files"
    lines = [
        f"{count} {noun} in the raw folders cannot be used. They stay where they are, and each is looked at",
        "again when it changes.",
        "",
    ]
    for file in files[:_MOST_FILES]:
        lines += [f"{file.path} ({file.code})", f"    {file.reason}", ""]
    if count > _MOST_FILES:
        lines.append(f"... and {count - _MOST_FILES} more; the live page lists all.")
    return _message(notification_id, night, Kind.REJECTED, f"{count} {noun} rejected in night {night}", lines)


def field_message(notification_id: str, field: FieldProgress) -> Message:
    """Message about a finished field: its frames with S/N and calibration level, and its products."""
    frames = sorted(field.frames, key=lambda frame: (frame.run, frame.arm))
    reduced = sum(frame.state is FrameState.REDUCED for frame in frames)
    place = f"{field.field} (plate {field.plate})"
    lines = [
        f"All science frames of {place} in night {field.night} are final: {reduced} of {len(frames)} are reduced.",
        "",
        f"{'frame':<16} {'arm':<5} {'exposed':>8} {'S/N':>7} {'level':<6} {'result'}",
        *(_frame_line(frame) for frame in frames),
        "",
        "S/N is the median per Angstrom. Calibration levels: "
        + "; ".join(f"{level.label} {level.meaning}" for level in CalibrationLevel)
        + ".",
    ]
    if any(frame.provisional for frame in frames):
        lines += ["", "Provisional results are made again by themselves when better calibrations arrive."]
    if field.products:
        lines += ["", "Products, in the products folder:", *(f"    {path}" for path in field.products)]
    subject = f"Field done: {place}, {reduced}/{len(frames)} reduced, night {field.night}"
    return _message(notification_id, field.night, Kind.FIELD, subject, lines)


def _frame_line(frame: ScienceFrame) -> str:
    snr = "-" if frame.signal_to_noise is None else f"{frame.signal_to_noise:.1f}"
    level = "-" if frame.level is None else CalibrationLevel(frame.level).label
    result = frame.state.value.replace("_", " ")
    if frame.state is FrameState.REDUCED:
        result += ", provisional" if frame.provisional else ""
    elif frame.reason:
        result += f": {frame.reason}"
    return (
        f"{frame.name.removesuffix('.fits'):<16} {frame.arm:<5} {frame.exposed:>6.0f} s {snr:>7} {level:<6} "
        f"{one_line(result, 200)}"
    )


def _message(notification_id: str, night: str, kind: Kind, subject: str, lines: Sequence[str]) -> Message:
    # PostgreSQL's text cannot hold NUL.
    body = "\n".join(lines).replace("\0", " ") + "\n"
    return Message(notification_id, night, kind, one_line(f"[PAWS Live] {subject}"), body)
