"""Whether a command did what it was asked to: its status, its marker, and what it left behind."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from agents.reducer.engines import EngineResult
from paws.errors import InvalidInputError, PawsError, RetriableError
from schemas.vocabulary import ProductKind

LEAST_FINITE = 0.05
"""Least part of a product's pixels that must be numbers. Dead fibres and ends are legitimately without."""

_TASK_PREFIX = re.compile(r"^(AAO\d+:)?(CMD\d+:)?\s*(Error:\s*)?")
"""What 2dFdr puts before every message of its worker; people need not read it."""

_CLOCK_GRAIN = 2.0
"""Some file systems keep times to two seconds only."""


class ReductionFailedError(RetriableError):
    """The engine says that it could not reduce the frame. 2dFdr says so of passing troubles, too."""

    code = "engine_failed"


class ReductionRefusedError(InvalidInputError):
    """The engine says that the input cannot be used."""

    code = "engine_refused"


class NoExitMarkerError(RetriableError):
    """The command ended with success but without the marker of an orderly end: it was interrupted."""

    code = "no_exit_marker"


class BadProductError(RetriableError):
    """A product is missing, old, or not what its kind must be: a disk may have been full for a moment."""

    code = "bad_product"


def judge(verb: str, result: EngineResult, invalid_status: frozenset[int]) -> PawsError | None:
    """Error that a command's end stands for, or None for success. Pure.

    Parameters
    ----------
    invalid_status
        Statuses by which the engine says that the input cannot be used.
    """
    said = _TASK_PREFIX.sub(
        "", next((line.strip() for line in reversed(result.tail) if line.strip()), "nothing")
    )
    if result.exit_status in invalid_status:
        return ReductionRefusedError(f"{verb} refuses its input: {said}")
    if result.exit_status != 0:
        return ReductionFailedError(
            f"{verb} failed with status {result.exit_status}: {said}", exit_status=result.exit_status
        )
    if not result.exit_marker:
        return NoExitMarkerError(
            f"{verb} ended without its exit marker; it was interrupted. Last said: {said}"
        )
    return None


@dataclass(frozen=True)
class ProductFacts:
    """What was found in a product that is good."""

    shape: tuple[int, ...]
    finite_fraction: float


def check_product(path: Path, kind: ProductKind, not_before: float) -> ProductFacts:
    """Look whether a file is a complete product of its kind.

    Parameters
    ----------
    not_before
        Unix time at which the command started: an older file is not its work.

    Raises
    ------
    BadProductError
        If it is not; the message says in what way.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise BadProductError(f"The command ended well but wrote no {path.name}.") from None
    if status.st_mtime < not_before - _CLOCK_GRAIN:
        raise BadProductError(f"{path.name} is older than the command that should have written it.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Mapped, not read: a product is tens of megabytes and only sums of it are wanted.
            with fits.open(path, memmap=True, ignore_missing_simple=False) as hdus:
                return _check_extensions(path.name, kind, hdus)
    except (OSError, ValueError, TypeError, KeyError, IndexError, fits.VerifyError) as error:
        raise BadProductError(
            f"{path.name} cannot be read as FITS: {' '.join(str(error).split())[:200]}"
        ) from error


def _check_extensions(name: str, kind: ProductKind, hdus: fits.HDUList) -> ProductFacts:
    data = hdus[0].data
    if data is None or data.ndim != 2 or not np.issubdtype(data.dtype, np.floating):
        raise BadProductError(f"{name} holds no two-dimensional floating-point image in its first HDU.")
    finite = float(np.isfinite(data).mean())
    if finite < LEAST_FINITE:
        raise BadProductError(f"Only {100 * finite:.1f} % of the pixels of {name} are numbers.")
    if kind is ProductKind.TLM:
        return ProductFacts(data.shape, finite)
    if "VARIANCE" not in hdus:
        raise BadProductError(f"{name} has no VARIANCE extension.")
    if hdus["VARIANCE"].shape != data.shape:
        raise BadProductError(f"VARIANCE and data of {name} differ in shape.")
    if not kind.is_image:
        if "FIBRES" not in hdus:
            raise BadProductError(f"{name} has no FIBRES extension.")
        fibres = int(hdus["FIBRES"].header["NAXIS2"])
        if fibres != data.shape[0]:
            raise BadProductError(f"{name} has {data.shape[0]} spectra but {fibres} rows in FIBRES.")
    return ProductFacts(data.shape, finite)
