"""What somebody is told of calibrations: frames of other programmes have no name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from paws.access.rule import Sight
from paws.database import Pool
from web.access import ANOTHER, hidden_names, names_in, without
from web.storage.frames import frame_names

Names = Mapping[str, Mapping[str, Any]]


async def tell(
    pool: Pool, documents: Iterable[dict[str, Any]], sight: Sight
) -> tuple[list[dict[str, Any]], Names]:
    """Documents of prospects as somebody is told them, and the frames that they name.

    Names of files repeat after a year. So frames are told apart by their identifiers; only in sentences, which have
    nothing but names, is a name hidden when any frame of that name is.
    """
    given = list(documents)
    named = {name for document in given for role in document["roles"] for name in _named(role)}
    names = await frame_names(pool, sorted(named), sight)
    hidden = await hidden_names(pool, names_in(given), sight)
    return [_told(document, names, hidden) for document in given], names


def _named(role: Mapping[str, Any]) -> set[str]:
    return {*role["source_frame_ids"], *(item["frame_id"] for item in role["refused"])}


def _told(document: dict[str, Any], names: Names, hidden: frozenset[str]) -> dict[str, Any]:
    own = frozenset(names_in(document["frame_id"]))
    return {
        **document,
        "aside": without(document["aside"], hidden - own),
        "roles": [_role(role, names, hidden) for role in document["roles"]],
    }


def _role(role: dict[str, Any], names: Names, hidden: frozenset[str]) -> dict[str, Any]:
    sources = [one for one in role["source_frame_ids"] if one in names]
    foreign = len(sources) < len(role["source_frame_ids"])
    return {
        **role,
        "source_frame_ids": sources,
        "reason": f"Taken from {ANOTHER}."
        if foreign
        else without(role["reason"], hidden - names_in(sources)),
        "refused": [
            {**item, "reason": without(item["reason"], hidden - names_in(item["frame_id"]))}
            for item in role["refused"]
            if item["frame_id"] in names
        ],
    }


async def tell_notes(pool: Pool, groups: Iterable[dict[str, Any]], shown: Names, sight: Sight) -> None:
    """Take names of frames that are not shown out of what is noted of a field's frames, where they are hidden."""
    notes = [item for group in groups for part in ("calibrations", "aside") for item in group[part]]
    own = {name for frame_id in shown for name in names_in(frame_id)}
    hidden = await hidden_names(pool, names_in([item["note"] for item in notes]) - own, sight)
    for item in notes:
        item["note"] = without(item["note"], hidden)
