"""Which trace belongs to which slit position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from quicklook.errors import Failure
from quicklook.fibres import N_FIBRES
from quicklook.types import FloatArray

_EXPECTATION = {"P": 1.0, "S": 1.0, "F": -1.0, "N": -0.5, "D": -0.5}
"""How much a fibre's type speaks for (or against) light in a flat; other types say nothing."""

MIN_AGREEMENT = 0.75


@dataclass(frozen=True, eq=False)
class SlitMatch:
    """Slit positions of the traces.

    Attributes
    ----------
    position : ndarray of int (traces,)
        0-based slit position of each trace.
    agreement : float
        Fraction of the fibres whose type says something that are as the type says.
    missing, unexpected : tuple of int
        0-based positions of fibres that should be lit and are dark, and the reverse.
    reason : str
    """

    position: NDArray[np.int64]
    agreement: float
    missing: tuple[int, ...]
    unexpected: tuple[int, ...]
    reason: str


def match_slit(rows: FloatArray, types: NDArray[np.str_], n_rows: int) -> SlitMatch:
    """Match traces with slit positions.

    Gaps in the sequence of traces count how many fibres are dark between two lit ones; where the sequence as
    a whole lies is what agrees best with the fibre table.

    Parameters
    ----------
    rows : ndarray (traces,)
        Row of each trace at one column, ascending.
    types : ndarray of str (400,)
        Fibre types by slit position.
    n_rows : int
        Rows of the chip.

    Raises
    ------
    Failure
        When no placement agrees with the table.
    """
    gaps = np.diff(rows)
    # Mirrored at the ends without the outermost gap itself, which one dark fibre there doubles.
    spacing = median_filter(gaps, size=min(31, len(gaps)), mode="mirror")
    steps = np.maximum(1, np.rint(gaps / spacing)).astype(np.int64)
    sequence = np.concatenate([[0], np.cumsum(steps)])
    if sequence[-1] >= N_FIBRES:
        raise Failure(
            f"the traces span {sequence[-1] + 1} slit positions where 2dF has {N_FIBRES}; "
            "look at the flat: stray light may have been taken for fibres"
        )
    expectation = np.array([_EXPECTATION.get(str(t), 0.0) for t in types])
    nominal = rows[0] / n_rows * N_FIBRES - 0.5
    best: tuple[float, int] | None = None
    for first in range(N_FIBRES - int(sequence[-1])):
        lit = np.zeros(N_FIBRES, dtype=np.bool_)
        lit[first + sequence] = True
        score = float(np.where(lit, expectation, -expectation).sum()) - 0.05 * abs(first - nominal)
        if best is None or score > best[0]:
            best = (score, first)
    assert best is not None
    position = best[1] + sequence
    lit = np.zeros(N_FIBRES, dtype=np.bool_)
    lit[position] = True
    missing, unexpected = (expectation > 0) & ~lit, (expectation < 0) & lit
    told = np.count_nonzero(expectation)
    agreement = 1.0 - (missing.sum() + unexpected.sum()) / max(told, 1)
    if agreement < MIN_AGREEMENT:
        raise Failure(
            f"only {100 * agreement:.0f} % of the fibres are lit or dark as the fibre table says; "
            "flat and table may belong to different plates"
        )
    return SlitMatch(
        position,
        float(agreement),
        tuple(int(i) for i in np.nonzero(missing)[0]),
        tuple(int(i) for i in np.nonzero(unexpected)[0]),
        f"{len(rows)} traces from slit position {position[0] + 1} to {position[-1] + 1}, "
        f"{missing.sum()} dark against the table, {unexpected.sum()} lit against it",
    )
