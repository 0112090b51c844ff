"""Put raw frames and their truth on disk: the simulator's only output."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from simulator.errors import FrameExistsError
from simulator.headers import primary_header
from simulator.observe import Frame, Observatory, Truth
from simulator.plan import ExposurePlan, NightPlan
from simulator.tables import class_table, fibre_table

_BLOCK = 2880
_PIECES = 16


class Existing(StrEnum):
    """What to do with a frame that is already on disk."""

    REFUSE = "refuse"
    SKIP = "skip"
    OVERWRITE = "overwrite"


@dataclass(frozen=True)
class WrittenFrame:
    """A raw frame that is complete on disk.

    Parameters
    ----------
    path : Path
        Where.
    run : int
        Run number.
    arm : str
        ``blue`` or ``red``.
    frame_class : str
        NDFCLASS.
    object_name : str
        OBJECT.
    exposed : float
        Exposure time, s.
    size : int
        Bytes.
    """

    path: Path
    run: int
    arm: str
    frame_class: str
    object_name: str
    exposed: float
    size: int


def frame_bytes(observatory: Observatory, exposure: ExposurePlan, arm: str, frame: Frame) -> bytes:
    """A raw frame as a FITS file: unsigned 16-bit image, fibre table where there is one, class table."""
    night = observatory.night
    header = primary_header(night, exposure, arm).tostring(padding=True).encode("ascii")
    # FITS has no unsigned integers: flipping the top bit is the subtraction of BZERO.
    stored = (frame.counts ^ np.uint16(0x8000)).astype(">u2").tobytes()
    tables: list[fits.BinTableHDU] = []
    if exposure.field is not None:
        targets = observatory.targets[exposure.field.number]
        tables.append(fibre_table(targets, observatory.slits[exposure.plate], exposure))
    tables.append(class_table(exposure.frame_class))
    return b"".join([header, stored, bytes(-len(stored) % _BLOCK), *(_hdu_bytes(table) for table in tables)])


def write_whole(path: Path, content: bytes) -> None:
    """Write under a temporary dot name in pieces, then rename: no reader ever sees half a frame.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    for _ in _in_pieces(temporary, content):
        pass
    temporary.replace(path)


def write_slowly(path: Path, content: bytes, pause: Callable[[], None]) -> None:
    """Write in place under the final name, piece by piece, calling `pause` between pieces."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for _ in _in_pieces(path, content):
        pause()


def check_absent(night: NightPlan, out_dir: Path, existing: Existing) -> None:
    """Refuse to touch a folder that already holds frames of the plan, unless told otherwise.

    Raises
    ------
    FrameExistsError
        `existing` is ``refuse`` and a frame is there.
    """
    if existing is not Existing.REFUSE:
        return
    for exposure in night:
        for relative in exposure.paths.values():
            if (out_dir / relative).exists():
                raise FrameExistsError(
                    f"{out_dir / relative} exists already: choose another folder, or say whether existing "
                    "frames shall be skipped or overwritten (--existing skip, --existing overwrite)"
                )


def write_truth(truth_dir: Path, path: Path, truth: Truth) -> Path:
    """Write the truth of a frame as ``NAME.npz`` and return where."""
    truth_dir.mkdir(parents=True, exist_ok=True)
    target = truth_dir / f"{path.stem}.npz"
    temporary = truth_dir / f".{path.stem}.part"
    with temporary.open("wb") as stream:
        np.savez(
            stream,
            wavelength=truth.wavelength,
            trace=truth.trace,
            electrons=truth.electrons,
            sky_electrons=truth.sky_electrons,
            throughput=truth.throughput,
            cosmic_rays=truth.cosmic_rays,
            dichroic=truth.dichroic,
        )
    temporary.replace(target)
    return target


def write_targets(truth_dir: Path, observatory: Observatory) -> Path:
    """Write the night's targets with their true redshifts to ``targets.ecsv`` and return where.

    One row per program fibre of each field: field, plate, configuration, fibre (slit position from 1),
    pivot, name, ra and dec (degrees), class, subtype, redshift, magnitude (AB at 6200 Angstrom).
    """
    rows = []
    for plan, targets in zip(observatory.night.fields, observatory.targets, strict=True):
        pivot = observatory.slits[plan.plate].pivot
        for fibre in np.flatnonzero(targets.kind == "P"):
            ra, dec = np.rad2deg(targets.ra[fibre]), np.rad2deg(targets.dec[fibre])
            place = (plan.label, plan.plate, plan.configuration, int(fibre) + 1, int(pivot[fibre]))
            truth = (targets.source[fibre].value, targets.subtype[fibre], targets.redshift[fibre])
            rows.append((*place, targets.name[fibre], ra, dec, *truth, targets.magnitude[fibre]))
    names = ("field", "plate", "configuration", "fibre", "pivot", "name", "ra", "dec", "class", "subtype")
    types = ("U16", int, "U64", int, int, "U80", float, float, "U20", "U4", float, float)
    table = Table(rows=rows or None, names=(*names, "redshift", "magnitude"), dtype=types)
    table["ra"].unit = table["dec"].unit = "deg"
    table["magnitude"].unit = "mag"
    truth_dir.mkdir(parents=True, exist_ok=True)
    target = truth_dir / "targets.ecsv"
    temporary = truth_dir / ".targets.part"
    table.write(temporary, format="ascii.ecsv", overwrite=True)
    temporary.replace(target)
    return target


def _hdu_bytes(hdu: fits.BinTableHDU) -> bytes:
    stream = io.BytesIO()
    # A table cannot stand alone: write it behind an empty primary and cut that off.
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(stream)
    return stream.getvalue()[_BLOCK:]


def _in_pieces(path: Path, content: bytes) -> Iterator[int]:
    piece = -(-len(content) // _PIECES)
    with path.open("wb", buffering=0) as stream:
        for start in range(0, len(content), piece):
            view = memoryview(content)[start : start + piece]
            while view:
                view = view[stream.write(view) :]
            yield start
