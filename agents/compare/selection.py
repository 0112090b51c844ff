"""Which frames of a night are compared: some science frames, and the calibrations that they may need. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from paws.errors import InvalidInputError
from schemas.frames import Frame
from schemas.vocabulary import FrameClass

_SCIENCE = frozenset({FrameClass.MFOBJECT, FrameClass.MFFLX})
_OF_A_FIELD = (FrameClass.MFFFF, FrameClass.MFARC, FrameClass.MFSKY)


@dataclass(frozen=True)
class Selection:
    """What to take of a folder. What is empty chooses nothing.

    Attributes
    ----------
    nights
        Nights, as ``20260312``.
    fields
        Field labels, such as ``FLD195_v03``.
    names
        Science frames by name, with or without ``.fits``.
    """

    nights: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    def __call__(self, frames: Sequence[Frame]) -> list[Frame]:
        """Chosen frames, in the order in which they come.

        Calibrations of a chosen field are taken with it; where it has none of a class, all of that night are,
        so that the planner falls back as it does live. Biases, darks and long-slit flats always are.

        Raises
        ------
        InvalidInputError
            If a night, field or name chooses no frame.
        """
        frames = [frame for frame in frames if not self.nights or frame.night in self.nights]
        _refuse_unknown("night", self.nights, {frame.night for frame in frames})
        if not self.fields and not self.names:
            return frames
        names = {name.removesuffix(".fits") for name in self.names}
        science = [frame for frame in frames if frame.frame_class in _SCIENCE]
        _refuse_unknown("field", self.fields, {frame.field for frame in science})
        _refuse_unknown("science frame", names, {frame.stem for frame in science})
        chosen = [
            frame
            for frame in science
            if (not self.fields or frame.field in self.fields) and (not names or frame.stem in names)
        ]
        if not chosen:
            raise InvalidInputError(
                "No science frame has both one of the fields and one of the names. Leave one of them out."
            )
        kept = {frame.frame_id for frame in (*chosen, *_calibrations(frames, chosen))}
        return [frame for frame in frames if frame.frame_id in kept]


def _calibrations(frames: Iterable[Frame], chosen: Sequence[Frame]) -> list[Frame]:
    others = [frame for frame in frames if frame.frame_class not in _SCIENCE]
    kept = [frame for frame in others if frame.frame_class not in _OF_A_FIELD]
    needed = {(frame.night, frame.camera_key, frame.fibre_key) for frame in chosen}
    for frame_class in _OF_A_FIELD:
        alike = [frame for frame in others if frame.frame_class is frame_class]
        own = [frame for frame in alike if (frame.night, frame.camera_key, frame.fibre_key) in needed]
        served = {(frame.night, frame.camera_key, frame.fibre_key) for frame in own}
        kept += own if served == needed else alike
    return kept


def _refuse_unknown(what: str, wanted: Iterable[str], known: set[str]) -> None:
    missing = sorted(set(wanted) - known)
    if missing:
        there = ", ".join(sorted(known)[:20]) or "none"
        raise InvalidInputError(f"There is no {what} {missing[0]!r} among the frames. There are: {there}.")
