"""What a product says of its own making: header cards, and the same as a document for the database."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, cast

from astropy.io import fits
from blake3 import blake3

from schemas.reductions import CalibrationChoice, ProductInput, Reduction

_CHUNK = 1 << 20


@dataclass(frozen=True)
class InputFile:
    """A file that was read: its name in the work folder, what it was, and its content's checksum."""

    name: str
    checksum: str
    source: str
    role: str


@dataclass(frozen=True)
class Making:
    """The circumstances in which a product was made."""

    reduction: Reduction
    attempt: int
    inputs: tuple[InputFile, ...]
    command: tuple[str, ...]
    engine_seconds: float
    made_at: datetime
    log_path: str


@cache
def software_version() -> str:
    """Version of PAWS Live."""
    return version("paws-live")


def parameters_hash(reduction: Reduction) -> str:
    """Short hash of the parameters, to tell at a glance whether two products had the same."""
    text = json.dumps({name.upper(): value for name, value in reduction.parameters.items()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def cards(making: Making) -> list[tuple[str, Any, str]]:
    """Header cards, eight-character keywords only, since not every reader knows longer ones."""
    reduction = making.reduction
    level = reduction.worst_level
    return [
        ("PAWSJOB", reduction.job_key, ""),  # fills the card
        ("PAWSVER", software_version(), "version of PAWS Live"),
        ("PAWSENG", _card_text(f"{reduction.engine}: {reduction.engine_version}")[:48], "engine"),
        ("PAWSPROV", reduction.provisional, "made with less than the best"),
        ("PAWSLVL", -1 if level is None else int(level), "worst calibration level, -1: none"),
        ("PAWSPAR", parameters_hash(reduction), "hash of the parameters"),
        ("PAWSTRY", making.attempt, "attempt"),
        ("PAWSSEC", round(making.engine_seconds, 3), "[s] time in the engine"),
        ("PAWSDATE", making.made_at.strftime("%Y-%m-%dT%H:%M:%S"), "when it was made (UTC)"),
    ]


def history(making: Making) -> list[str]:
    """HISTORY lines: every input with its checksum, every calibration with its level and age."""
    lines = [f"PAWS {_card_text(making.reduction.reason)}"] if making.reduction.reason else []
    for item in making.inputs:
        lines += [f"PAWS {item.role}: {_card_text(item.name)}", f"blake3: {item.checksum}"]
    for choice in making.reduction.calibrations:
        lines.append(
            f"PAWS {choice.role.value} {choice.level.label} {choice.age_hours:+.2f} h: {_card_text(choice.reason)}"
        )
    return [line[:72] for line in lines]


def document(making: Making) -> dict[str, Any]:
    """Provenance for the database: all that the header has, and what does not fit there."""
    reduction = making.reduction
    return {
        "job_key": reduction.job_key,
        "kind": reduction.kind.value,
        "software": software_version(),
        "engine": reduction.engine,
        "engine_version": reduction.engine_version,
        "parameters": dict(reduction.parameters),
        "command": list(making.command),
        "attempt": making.attempt,
        "engine_seconds": round(making.engine_seconds, 3),
        "made_at": making.made_at.isoformat(),
        "reason": reduction.reason,
        "log": making.log_path,
        "inputs": [
            {"name": item.name, "role": item.role, "checksum": item.checksum, "source": item.source}
            for item in making.inputs
        ],
        "calibrations": [_choice(choice) for choice in reduction.calibrations],
        "products_read": [_product(item) for item in reduction.inputs],
    }


def write_with_provenance(source: Path, target: BinaryIO, making: Making) -> tuple[str, int]:
    """Copy a product, its primary header extended.

    Only the first header is made anew; everything after it is copied as it is, so no array is decoded.

    Returns
    -------
    checksum : str
        BLAKE3 of what was written, hexadecimal.
    size : int
        In bytes.
    """
    digest = blake3()
    size = 0

    class Tee:
        def write(self, block: bytes) -> int:
            nonlocal size
            digest.update(block)
            size += len(block)
            return target.write(block)

    tee = Tee()
    with source.open("rb") as stream:
        header = fits.Header.fromfile(stream, endcard=True, padding=True)
        for keyword, value, comment in cards(making):
            header.set(keyword, value, comment)
        for line in history(making):
            header.add_history(line)
        # It was the sum of the header as it was.
        header.remove("CHECKSUM", ignore_missing=True)
        tee.write(header.tostring(endcard=True, padding=True).encode("ascii"))
        shutil.copyfileobj(stream, cast(BinaryIO, tee), _CHUNK)
    return digest.hexdigest(), size


def _choice(choice: CalibrationChoice) -> dict[str, Any]:
    return {
        "role": choice.role.value,
        **_product(choice.product),
        "source_frame_ids": list(choice.source_frame_ids),
        "level": int(choice.level),
        "age_hours": choice.age_hours,
        "reason": choice.reason,
        "refused": [{"frame_id": item.frame_id, "reason": item.reason} for item in choice.refused],
    }


def _product(product: ProductInput) -> dict[str, Any]:
    return {"job_key": product.job_key, "kind": product.kind.value}


def _card_text(text: str) -> str:
    """Text that may stand in a card: printable ASCII, no longer than a card."""
    return "".join(char if " " <= char <= "~" else "?" for char in text)[:67]
