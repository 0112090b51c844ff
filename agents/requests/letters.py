"""Mails and messages about a request: at its start and at its end. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from paws.letters import REQUEST_KIND, Letter
from paws.requests.states import StateDecision
from schemas.parameters import in_words
from schemas.vocabulary import RequestState

MOST_LINES: Final = 300
ANOTHER: Final = "another frame"
_STEM: Final = re.compile(r"[0-9]{2}[a-z]{3}[0-9]{5}")


def own_words(text: str, names: Collection[str]) -> str:
    """Text without names of frames that are not of the request: they may be of another programme."""
    return _STEM.sub(lambda found: found.group() if found.group() in names else ANOTHER, text)


def start_letter(row: Mapping[str, Any], decision: StateDecision, link: str) -> Letter:
    """Mail that tells that a request is under way."""
    to_do = decision.parts - decision.reused
    lines = [
        f"{_what(row)}: it is under way.",
        "",
        f"Frames:      {row['frames']}",
        f"Reductions:  {decision.parts}, of which {decision.reused} were done before and {to_do} are to be done",
        *_settings(row),
        *_follow(link),
        "",
        "Another mail tells when it has ended.",
    ]
    return _letter(row, "start", "begun", lines)


def end_letter(
    row: Mapping[str, Any],
    decision: StateDecision,
    results: Sequence[Mapping[str, Any]],
    names: Collection[str],
    link: str,
) -> Letter:
    """Mail that tells how a request ended: one line a result."""
    lines = [
        f"{_what(row)}: {decision.state.value.lower()}; {own_words(decision.reason, names)}.",
        "",
        f"Frames:      {row['frames']}",
        f"Reductions:  {decision.parts}, {decision.done} done ({decision.reused} before), {decision.failed} failed",
        *_settings(row),
        *_follow(link),
        "",
    ]
    lines += [_result_line(item, names) for item in results[:MOST_LINES]]
    if len(results) > MOST_LINES:
        lines.append(f"... and {len(results) - MOST_LINES} more; the page of the request lists all.")
    for item in row["missing"][:MOST_LINES]:
        lines.append(f"{item['label']:<28} not made: {own_words(item['reason'], names)}")
    word = "finished in part" if decision.partly else decision.state.value.lower()
    return _letter(row, f"end {decision.state.value}", word, lines)


def message(
    row: Mapping[str, Any],
    event: str,
    decision: StateDecision,
    results: Sequence[Mapping[str, Any]],
    names: Collection[str],
    link: str,
    at: datetime,
) -> str:
    """Body of a webhook: one JSON object."""
    document = {
        "event": event,
        "request_id": row["request_id"],
        "title": row["title"],
        "state": decision.state.value,
        "partly_failed": decision.partly,
        "reason": own_words(decision.reason, names),
        "at": at.isoformat(),
        "frames": row["frames"],
        "parts": decision.parts,
        "parts_done": decision.done,
        "parts_failed": decision.failed,
        "parts_reused": decision.reused,
        "url": link,
        "results": [
            {
                "kind": item["kind"],
                "arm": item["arm"],
                "label": own_words(item["label"], names),
                "state": item["state"],
                "product_id": item["product_id"],
                "signal_to_noise": item["signal_to_noise"],
            }
            for item in results
        ],
    }
    return json.dumps(document, sort_keys=True)


def _what(row: Mapping[str, Any]) -> str:
    named = f" '{row['title']}'" if row["title"] else ""
    return f"Your request {row['request_id']}{named} of {row['submitted_at']:%Y-%m-%d %H:%M} UT"


def _settings(row: Mapping[str, Any]) -> list[str]:
    parameters = ", ".join(f"{name} {in_words(value)}" for name, value in sorted(row["parameters"].items()))
    return [
        f"Engine:      {row['engine']} ({row['engine_version']})",
        f"Parameters:  {parameters or 'all as usual'}",
    ]


def _follow(link: str) -> list[str]:
    return ["", f"    {link}"] if link else []


def _result_line(item: Mapping[str, Any], names: Collection[str]) -> str:
    ratio = f", S/N {item['signal_to_noise']:.1f}" if item["signal_to_noise"] is not None else ""
    error = (
        f": {own_words((item['error'] or '').splitlines()[0], names)}"
        if item["error"] and item["state"] == "failed"
        else ""
    )
    what = f"{item['kind'].replace('_', ' ')} {item['arm'] or ''}".strip()
    return f"{own_words(item['label'], names):<28} {what:<22} {item['state'] or 'not done'}{ratio}{error}"


def _letter(row: Mapping[str, Any], occasion: str, word: str, lines: Sequence[str]) -> Letter:
    title = row["title"] or f"{row['frames']} frames"
    # PostgreSQL's text cannot hold NUL.
    body = "\n".join(lines).replace("\0", " ") + "\n"
    return Letter(
        row["mail"],
        f"[PAWS Live] Request {row['request_id'][:8]} {word}: {title}",
        body,
        f"request {row['request_id']} {occasion} {row['retries']}",
        REQUEST_KIND,
    )


def announced(before: RequestState, decision: StateDecision) -> str | None:
    """Which of the two occasions a change of state is: ``started``, ``ended``, or none."""
    if decision.state in (RequestState.FINISHED, RequestState.FAILED, RequestState.CANCELLED):
        return "ended"
    if before is RequestState.INITIALISED and decision.state is not before:
        return "started"
    return None
