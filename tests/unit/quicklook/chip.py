"""A small synthetic chip for the tests: a profile and distortions of its own, nothing shared with quicklook."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.io import fits

from quicklook.fibres import FibreTable, read_fibres
from quicklook.types import Image

N_ROWS = 4098


@dataclass
class Chip:
    """Truth of a synthetic chip."""

    trace: np.ndarray  # (400, nx)
    types: np.ndarray  # (400,)
    lit: np.ndarray  # (400,) bool
    fibres: FibreTable
    n_columns: int
    full_columns: int


def fibre_table(types: np.ndarray) -> fits.BinTableHDU:
    n = len(types)
    return fits.BinTableHDU.from_columns(
        [
            fits.Column("NAME", "80A", array=np.array([f"target {i}" for i in range(n)])),
            fits.Column("RA", "1D", unit="rad", array=np.linspace(0.1, 0.2, n)),
            fits.Column("DEC", "1D", unit="rad", array=np.linspace(-0.5, -0.4, n)),
            fits.Column("TYPE", "1A", array=types),
            fits.Column("PIVOT", "1I", array=np.arange(1, n + 1)),
            fits.Column("MAGNITUDE", "1D", array=np.full(n, 18.0)),
        ],
        name="STRUCT.MORE.FIBRES",
    )


def make_chip(n_columns: int = 256, *, seed: int = 1, broken: int = 5, permuted: bool = False) -> Chip:
    rng = np.random.default_rng(seed)
    types = np.full(400, "P")
    types[49::50] = "F"
    if permuted:
        order = np.arange(400).reshape(40, 10)
        order[[7, 19]] = order[[19, 7]]
        types = types[order.ravel()]
    free = np.nonzero(types == "P")[0]
    types[rng.choice(free, 25, replace=False)] = "S"
    types[rng.choice(np.nonzero(types == "P")[0], broken, replace=False)] = "N"
    unallocated = rng.choice(np.nonzero(types == "P")[0], 10, replace=False)
    types[unallocated] = "U"
    lit = ~np.isin(types, ["F", "N"])
    lit[unallocated[:4]] = False
    position = np.arange(400)
    y0 = 14.0 + 10.08 * position + 0.9 * (position // 10) - 0.9 * 39 * position / 399
    y0 = y0 + 0.15 * rng.standard_normal(400)
    x = np.linspace(-1, 1, n_columns)
    u = (y0 - 2049) / 2049
    trace = y0[:, None] + u[:, None] * (7 * x**2 + 1.3 * x**3) + 2.5 * x - 0.8 * x**2
    # Distortion on a small scale, which low-order polynomials do not follow.
    trace += 0.05 * np.sin(9.0 * x[None, :] + 3 * u[:, None])
    return Chip(trace, types, lit, read_fibres(fibre_table(types)), n_columns, n_columns)


def profile(offset: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Moffat core, sampled over the pixel, with a skewed exponential wing; wider towards the corners."""
    r2 = x**2 + y**2
    alpha = 2.9 * (1 + 0.08 * r2 + 0.03 * x)
    beta = 4.0
    nodes, weights = np.polynomial.legendre.leggauss(5)
    total = np.zeros(np.broadcast(offset, x).shape)
    for node, weight in zip(nodes, weights, strict=True):
        z = offset + 0.5 * node
        core = (1 + (z / alpha) ** 2) ** (-beta)
        core /= alpha * 5 * np.pi / 16  # the integral of (1 + u^2)^-4
        skew = np.exp(-np.abs(z) / 2.5) * (1 + 0.25 * np.tanh(z)) / 5.0
        total += 0.5 * weight * (0.985 * core + 0.015 * skew)
    return total


def render(chip: Chip, electrons: np.ndarray, *, scattered: float = 0.0, shift: float = 0.0) -> np.ndarray:
    """Expected electrons on the chip (4098, n_columns) for fluxes (400, n_columns)."""
    nx = chip.n_columns
    image = np.zeros((N_ROWS + 80, nx))
    columns = np.arange(nx)
    xs = (columns - nx / 2) / (nx / 2)
    trace = chip.trace + shift
    reach = 20
    for j in range(400):
        if not np.any(electrons[j]):
            continue
        centre = trace[j]
        start = np.floor(centre).astype(int) - reach
        rows = start[None, :] + np.arange(2 * reach + 2)[:, None]
        p = profile(rows - centre[None, :], xs[None, :], ((centre - 2049) / 2049)[None, :])
        image[rows + 40, np.broadcast_to(columns, rows.shape)] += electrons[j] * p
    image = image[40:-40]
    y = np.linspace(-1, 1, N_ROWS)[:, None]
    return image + scattered * (1 + 0.5 * y - 0.3 * xs[None, :] ** 2)


def as_image(
    expected: np.ndarray,
    chip: Chip,
    *,
    seed: int = 3,
    gain: float = 1.9,
    noise: float = 4.0,
    limit: float = np.inf,
) -> Image:
    rng = np.random.default_rng(seed)
    data = rng.poisson(expected) + noise * rng.standard_normal(expected.shape)
    saturated = data > limit
    data = np.where(saturated, np.nan, data).astype(np.float32)
    header = fits.Header()
    header["NDFCLASS"] = "MFFFF"
    return Image(
        data=data,
        variance=(noise**2 + np.maximum(data, 0)).astype(np.float32),
        header=header,
        fibres=chip.fibres,
        gain=gain,
        read_noise=noise,
        saturated=saturated,
        cosmic=np.zeros(data.shape, dtype=bool),
    )


def flat_electrons(chip: Chip, level: float = 20000.0, *, seed: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    throughput = np.clip(1 + 0.15 * rng.standard_normal(400), 0.4, 1.4) * chip.lit
    x = np.linspace(-1, 1, chip.n_columns)
    return level * throughput[:, None] * (1 + 0.5 * x - 0.2 * x**2)[None, :]
