"""What a visitor with limits is not told: names of frames that are not theirs, wherever a text mentions them.

Whose frame it is decides `paws.access.rule`; this module only takes what it hides out of reasons, decisions and
provenance, which name calibrations of other programmes and candidates that were passed over. The header of a product
is left alone: it names the calibrations that were used, and nothing else of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from paws.access.predicate import seen
from paws.access.rule import OBSERVATORY, Sight, proposal_key
from paws.database import Pool

ANOTHER: Final = "a frame of another programme"
_STEM: Final = re.compile(r"[0-9]{2}[a-z]{3}[0-9]{5}")
_IDS: Final = ("source_frame_ids", "subject_frame_ids", "frame_ids")


OF_THE_DETECTOR: Final = frozenset(
    [
        "SIMPLE",
        "BITPIX",
        "NAXIS",
        "NAXIS1",
        "NAXIS2",
        "EXTEND",
        "BSCALE",
        "BZERO",
        "INSTRUME",
        "ORIGIN",
        "TELESCOP",
        "DETECTOR",
        "SPECTID",
        "CCD",
        "NDFCLASS",
        "OBSTYPE",
        "RUN",
        "EXPOSED",
        "TOTALEXP",
        "UTMJD",
        "UTDATE",
        "UTSTART",
        "UTEND",
        "SPEED",
        "METHOD",
        "READAMP",
        "RO_GAIN",
        "RO_NOISE",
        "RO_GAIN1",
        "RO_NOISE1",
        "WINDOW",
        "XEFFSIZE",
        "YEFFSIZE",
        "WINDOXE1",
        "WINDOXS1",
        "DETXBIN",
        "DETYBIN",
        "CCDTEMP",
        "COOLTEMP",
    ]
)
"""Cards that tell of the detector and nothing else."""


def without_programme(row: dict[str, Any], sight: Sight) -> dict[str, Any]:
    """Row of a frame without what tells in whose night it was taken.

    Detector calibrations are for everyone with an account; the proposal in their headers is not.

    Parameters
    ----------
    row
        With ``owner``, ``public_on`` and ``proposal``, of which the first two are taken out.
    """
    owner, day = row.pop("owner"), row.pop("public_on")
    if (
        owner != OBSERVATORY
        or sight.everything
        or day <= sight.today
        or proposal_key(row["proposal"]) in sight.groups
    ):
        return row
    cleaned = {**row, "proposal": ""}
    if "header" in row:
        cleaned["header"] = {name: value for name, value in row["header"].items() if name in OF_THE_DETECTOR}
    if "configuration" in row:
        cleaned["configuration"] = ""
    return cleaned


def names_in(value: Any) -> set[str]:
    """Stems of raw frames, such as ``12mar10005``, that a document mentions anywhere. They stand in ids too."""
    if isinstance(value, str):
        return set(_STEM.findall(value))
    if isinstance(value, Mapping):
        return set().union(*(names_in(item) for item in value.values()))
    if isinstance(value, list | tuple):
        return set().union(*(names_in(item) for item in value))
    return set()


async def hidden_names(pool: Pool, stems: Iterable[str], sight: Sight) -> frozenset[str]:
    """Those of some stems that a visitor may not be told: a frame of that name is not theirs to see.

    Names repeat after a year. Then any of the frames that is hidden hides the name.
    """
    wanted = sorted(set(stems))
    if sight.everything or not wanted:
        return frozenset()
    allowed, values = seen("frame", sight, [[f"{stem}.fits" for stem in wanted]])
    rows = await pool.fetch(
        f"SELECT DISTINCT name FROM frame WHERE name = ANY($1::text[]) AND NOT {allowed}",  # noqa: S608 - constants
        *values,
    )
    return frozenset(row["name"].removesuffix(".fits") for row in rows)


def without(value: Any, hidden: frozenset[str]) -> Any:
    """A document without what it says of hidden frames.

    Texts keep their sentence, with `ANOTHER` in place of a name; items of lists that are about a hidden frame go;
    a calibration taken from hidden frames keeps its role, level and age.
    """
    if not hidden:
        return value
    if isinstance(value, str):
        return _STEM.sub(lambda found: ANOTHER if found.group() in hidden else found.group(), value)
    if isinstance(value, Mapping):
        return _mapping_without(value, hidden)
    if isinstance(value, list | tuple):
        return [without(item, hidden) for item in value if not _is_about(item, hidden)]
    return value


def _is_about(item: Any, hidden: frozenset[str]) -> bool:
    """Whether an item of a list is a hidden frame: its description, or its identifier."""
    subject = item.get("frame_id") if isinstance(item, Mapping) else item
    if not isinstance(subject, str):
        return False
    found = names_in(subject)
    # An identifier is one word; a sentence that mentions a frame stays, without the name.
    return bool(found & hidden) and " " not in subject


def _mapping_without(value: Mapping[str, Any], hidden: frozenset[str]) -> dict[str, Any]:
    result = {name: without(item, hidden) for name, item in value.items()}
    about = names_in([value.get(name) for name in (*_IDS[:1], "name", "source")]) & hidden
    if about:
        # What would find it all the same: keys and checksums name it as surely as a name.
        for name in ("job_key", "checksum", "product", "path"):
            if name in result:
                result[name] = None
        if "source_frame_ids" in value:
            result["reason"] = f"Taken from {ANOTHER}."
    return result


async def told_rows(
    pool: Pool, rows: list[dict[str, Any]], sight: Sight, columns: Iterable[str]
) -> list[dict[str, Any]]:
    """Rows as a visitor is told them: texts of some columns without names that are hidden."""
    if sight.everything:
        return rows
    names = tuple(columns)
    hidden = await hidden_names(pool, names_in([row.get(name) for row in rows for name in names]), sight)
    if not hidden:
        return rows
    return [row | {name: without(row[name], hidden) for name in names if name in row} for row in rows]


async def told(pool: Pool, document: Any, sight: Sight) -> Any:
    """A document as a visitor is told it."""
    if sight.everything:
        return document
    return without(document, await hidden_names(pool, names_in(document), sight))
