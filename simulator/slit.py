"""The fibre slit of a plate and where its light falls on a detector.

Four hundred fibres in forty slitlets of ten; row ``i`` of every fibre array is slit position ``i + 1``,
counted from the bottom of the chip. Rows and columns are 0-based here, pixel centres on integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.conditions import ORDINARY, Conditions
from simulator.optics import CENTRE_COLUMN, COLUMNS, SLIT_HALF_HEIGHT_MM, Setup

FIBRES = 400
SLITLET = 10
ROWS = 4098
CENTRE_ROW = 2049.0
FIBRE_PITCH = 10.0
SLITLET_GAP = 11.0
GUIDE_SPACING = 50

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Slit:
    """What is fixed in the fibre slit of one plate, whatever is observed.

    Parameters
    ----------
    plate : int
        0 or 1.
    pivot : ndarray of int, shape (400,)
        Pivot number (1 to 400) at each slit position; a few slitlets are out of order.
    broken : ndarray of bool, shape (400,)
        Fibres that pass no light.
    row : ndarray, shape (400,)
        Row of each fibre at the centre of the chip, before the camera's distortion.
    spectral_offset : ndarray, shape (400,)
        Displacement of each fibre across the slit, pixels along the dispersion.
    throughput : ndarray, shape (400,)
        Relative transmission, mean 1 over fibres that work and 0 for those that do not.
    colour : ndarray, shape (400,)
        Change of transmission from one end of a spectrum to the other, a fraction.
    """

    plate: int
    pivot: NDArray[np.int64]
    broken: NDArray[np.bool_]
    row: FloatArray
    spectral_offset: FloatArray
    throughput: FloatArray
    colour: FloatArray

    @property
    def guide(self) -> NDArray[np.bool_]:
        """Slit positions whose fibre is a guide bundle and leaves a gap, shape (400,)."""
        return np.asarray(self.pivot % GUIDE_SPACING == 0)


@dataclass(frozen=True)
class Camera:
    """Distortions of one arm's camera, as polynomial coefficients in pixels at the chip's edge.

    Parameters
    ----------
    pincushion : float
        Bend of the outermost traces between the middle and the ends, positive outwards.
    rotation : float
        Rise of every trace from left to right.
    coma : float
        Cubic term of the outermost traces.
    magnification : float
        Slit scale relative to nominal.
    offset : float
        Shift of the whole slit along y.
    zero_point : float
        Shift along x that the encoders do not know of.
    stretch : float
        Quadratic and cubic departure of x from the ideal camera.
    tilt : float
        Shift along x that grows linearly along the slit.
    """

    pincushion: float
    rotation: float
    coma: float
    magnification: float
    offset: float
    zero_point: float
    stretch: float
    tilt: float


def make_slit(plate: int, rng: np.random.Generator, conditions: Conditions = ORDINARY) -> Slit:
    """Build the slit of a plate: permuted slitlets, broken fibres, uneven pitch and transmission."""
    pivot = np.arange(1, FIBRES + 1)
    blocks = rng.choice(FIBRES // SLITLET, size=2 * conditions.exchanged, replace=False) * SLITLET
    for pair in blocks.reshape(-1, 2):
        first, second = (slice(start, start + SLITLET) for start in pair)
        pivot[first], pivot[second] = pivot[second].copy(), pivot[first].copy()

    usable = np.flatnonzero(pivot % GUIDE_SPACING != 0)
    broken = np.zeros(FIBRES, dtype=bool)
    usual = int(rng.integers(3, 9))
    number = usual if conditions.broken < 0 else conditions.broken
    broken[rng.choice(usable, size=number, replace=False)] = True

    index = np.arange(FIBRES)
    slitlet = index // SLITLET
    row = index * FIBRE_PITCH + slitlet * (SLITLET_GAP - FIBRE_PITCH)
    row = row - row.mean() + CENTRE_ROW - 0.5 + rng.normal(0.0, 0.8)
    row = row + rng.normal(0.0, 0.25, FIBRES // SLITLET)[slitlet] + rng.normal(0.0, 0.08, FIBRES)
    spectral_offset = rng.normal(0.0, 0.20, FIBRES // SLITLET)[slitlet] + rng.normal(0.0, 0.10, FIBRES)

    along = (index - 199.5) / 199.5
    throughput = np.clip(rng.normal(1.0, 0.11, FIBRES), 0.55, 1.35) * (1.0 - 0.22 * along**2)
    live = ~broken & (pivot % GUIDE_SPACING != 0)
    throughput = np.where(live, throughput / throughput[live].mean(), 0.0)
    colour = rng.normal(0.0, 0.025, FIBRES)
    return Slit(plate, pivot, broken, row, spectral_offset, throughput, colour)


def make_camera(arm: str, rng: np.random.Generator) -> Camera:
    """Build the distortions of an arm: the blue camera bends traces outwards, the red inwards."""
    sense = 1.0 if arm == "blue" else -0.75
    return Camera(
        pincushion=sense * float(rng.uniform(12.0, 18.0)),
        rotation=float(rng.uniform(-3.0, 3.0)),
        coma=float(rng.uniform(-1.5, 1.5)),
        magnification=1.0 + float(rng.uniform(-0.0015, 0.0005)),
        offset=float(rng.uniform(-3.0, 3.0)),
        zero_point=float(rng.uniform(-4.0, 4.0)),
        stretch=float(rng.uniform(0.3, 0.8)) * (1.0 if rng.random() < 0.5 else -1.0),
        tilt=float(rng.uniform(-1.5, 1.5)),
    )


def trace_rows(slit: Slit, camera: Camera, drift_y: float) -> FloatArray:
    """Row of the profile centre of every fibre at every column.

    Parameters
    ----------
    slit, camera : Slit, Camera
        The instrument.
    drift_y : float
        Shift of the slit image at this moment, pixels.

    Returns
    -------
    ndarray, shape (400, 2048)
        0-based rows.
    """
    x = _unit_column()
    rows = CENTRE_ROW + (slit.row - CENTRE_ROW) * camera.magnification + camera.offset
    v = ((rows - CENTRE_ROW) / CENTRE_ROW)[:, None]
    bend = camera.pincushion * v * (1.0 + 0.15 * v**2) * x**2 + camera.coma * v * x**3
    smile = 0.6 * x**2 * v**2
    trace: FloatArray = rows[:, None] + bend + smile + 0.5 * camera.rotation * x + drift_y
    return trace


def wavelengths(slit: Slit, camera: Camera, setup: Setup, drift_x: float) -> FloatArray:
    """Wavelength at the centre of every pixel along every fibre.

    Parameters
    ----------
    slit, camera, setup : Slit, Camera, Setup
        The instrument; the header knows the set-up only.
    drift_x : float
        Shift of the spectra at this moment, pixels towards larger columns.

    Returns
    -------
    ndarray, shape (400, 2048)
        Angstrom in air.
    """
    x = _unit_column()
    v = ((slit.row - CENTRE_ROW) / CENTRE_ROW)[:, None]
    shift = camera.zero_point + drift_x + slit.spectral_offset[:, None] + camera.tilt * v
    shift = shift + camera.stretch * (x**2 + 0.6 * x**3 + 0.3 * x * v**2)
    column = np.arange(1.0, COLUMNS + 1.0) - shift
    height = v * SLIT_HALF_HEIGHT_MM
    return setup.wavelength(column, height)


def _unit_column() -> FloatArray:
    column: FloatArray = (np.arange(1.0, COLUMNS + 1.0) - CENTRE_COLUMN) / (COLUMNS / 2)
    return column
