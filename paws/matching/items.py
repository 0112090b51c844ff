"""The night state as items of the Faust table: one frame, one word about junk, one ending at a time.

Small items keep the writes to the table's changelog small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from paws.matching.sighting import JunkMark, ParameterMark, Sighting
from paws.matching.state import Finished, NightState
from schemas.frames import Frame
from schemas.vocabulary import ReductionState

Value = Sighting | JunkMark | ParameterMark | Finished

_SEPARATOR = "|"
_KINDS = {Sighting: "frame", JunkMark: "junk", ParameterMark: "parameters", Finished: "finished"}


@dataclass(frozen=True)
class Item:
    """One thing known of a night. `name` is a frame's identifier, or a job key."""

    night: str
    name: str
    value: Value

    @property
    def key(self) -> bytes:
        """Key in the table."""
        return _SEPARATOR.join((self.night, _KINDS[type(self.value)], self.name)).encode()

    def encode(self) -> bytes:
        """Value in the table."""
        value = self.value
        if isinstance(value, Sighting):
            document: Mapping[str, object] = {
                "frame": value.frame.model_dump(mode="json"),
                "seen_at": value.seen_at,
                "subject": value.subject,
            }
        elif isinstance(value, JunkMark):
            document = {"junked": value.junked, "reason": value.reason, "who": value.who, "at": value.at}
        elif isinstance(value, ParameterMark):
            document = {
                "parameters": value.parameters,
                "reason": value.reason,
                "who": value.who,
                "at": value.at,
            }
        else:
            document = {
                "slot": value.slot,
                "state": value.state.value,
                "at": value.at,
                "error": value.error,
            }
        return orjson.dumps(document)


def decode(key: bytes, payload: bytes) -> Item:
    """Item in the table.

    Raises
    ------
    ValueError
        If the table holds something else.
    """
    night, kind, name = key.decode().split(_SEPARATOR, 2)
    document = orjson.loads(payload)
    value: Value
    if kind == "frame":
        value = Sighting(
            Frame.model_validate(document["frame"]), _time(document["seen_at"]), document["subject"]
        )
    elif kind == "junk":
        value = JunkMark(document["junked"], document["reason"], document["who"], _time(document["at"]))
    elif kind == "parameters":
        value = ParameterMark(
            tuple((name, one) for name, one in document["parameters"]),
            document["reason"],
            document["who"],
            _time(document["at"]),
        )
    elif kind == "finished":
        value = Finished(
            document["slot"], ReductionState(document["state"]), _time(document["at"]), document["error"]
        )
    else:
        raise ValueError(f"the night table holds an item of unknown kind {kind!r}")
    return Item(night, name, value)


def night_of_key(key: bytes) -> str:
    """Night that a key belongs to."""
    return key.split(_SEPARATOR.encode(), 1)[0].decode()


def fold(state: NightState, item: Item) -> bool:
    """Take an item into the state of its night. Whether that changed anything."""
    match item.value:
        case Sighting():
            return state.fold_frame(item.value)
        case JunkMark():
            return state.fold_junk(item.name, item.value)
        case ParameterMark():
            return state.fold_parameters(item.name, item.value)
        case Finished():
            return state.fold_finished(item.name, item.value)


def current(state: NightState, item: Item) -> Item | None:
    """Item as the state holds it after folding, for the table; None where it is not kept."""
    value: Value | None
    match item.value:
        case Sighting():
            value = state.frames.get(item.name)
        case JunkMark():
            value = state.junk.get(item.name)
        case ParameterMark():
            value = state.parameters.get(item.name)
        case Finished():
            value = state.finished.get(item.name)
    return Item(item.night, item.name, value) if value is not None else None


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
