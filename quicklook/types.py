"""The values that quicklook's steps hand to each other.

Shapes: images are (rows, columns) = (4098, 2048), extracted arrays are (400, 2048) with row ``i`` the slit
position ``i + 1`` (bottom to top) and wavelength growing with x. Rows and columns are 0-based and
integers are pixel centres. Everything is in electrons; a bad value is NaN in the data and in its variance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from quicklook.columns import TAIL_LENGTHS
from quicklook.fibres import FibreTable

FloatImage = NDArray[np.float32]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
AnyFloat = NDArray[np.floating]

Beyond = tuple[float, float, float, float, float, float]
"""Fractions and lengths of two halos, and two tails: `ProfileModel.beyond`."""

Parameters = Mapping[str, object]
"""2dFdr parameter names (upper case) to values, as `quicklook.parameters` makes them."""


@dataclass(frozen=True, eq=False)
class Image:
    """A frame after overscan, bias, dark and long-slit flat: the ``im`` step.

    Attributes
    ----------
    data : ndarray of float32 (4098, 2048)
        Light [electron]; NaN where the pixel is bad or saturated.
    variance : ndarray of float32 (4098, 2048)
        Variance [electron^2] estimated from the data themselves; NaN where data is.
    header : fits.Header
        Header of the raw frame without its scaling cards.
    fibres : FibreTable or None
        None for biases, darks and long-slit flats.
    gain : float
        Electrons per ADU.
    read_noise : float
        Electrons, one read-out.
    saturated : ndarray of bool (4098, 2048)
        Pixels at the end of the converter's range, and their four neighbours.
    cosmic : ndarray of bool (4098, 2048)
        Pixels found to be hit by cosmic rays (none before extraction looks for them).
    floor : ndarray of float32 (4098, 2048) or None
        Variance that is not photon noise of this exposure's light (read-out, bias and dark frames)
        [electron^2]; None means ``read_noise**2`` everywhere. Extraction adds the photon noise of its model.
    history : tuple of str
        What was done, for HISTORY cards.
    figures : dict of str to float
        Quality figures of this step (overscan level, saturated fraction, ...).
    """

    data: FloatImage
    variance: FloatImage
    header: fits.Header
    fibres: FibreTable | None
    gain: float
    read_noise: float
    saturated: BoolArray
    cosmic: BoolArray
    floor: FloatImage | None = None
    history: tuple[str, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Wings:
    """Light of the fibre profile beyond its core, in kinds of wings that all of the chip shares (`quicklook.wingfit`).

    Attributes
    ----------
    share : ndarray of float64 (shares,)
        Parameters of the fractions of light in each kind; the last is the halo's.
    certainty : ndarray of float64 (shares, shares)
        Their inverse covariance.
    response : ndarray of float64 (kinds, zones along rows, zones along columns, offsets)
        By how much the profile's table changes with a unit fraction in each kind, core included, at every second
        node of the table, beginning with the second.
    """

    share: FloatArray
    certainty: FloatArray
    response: FloatArray


@dataclass(frozen=True, eq=False)
class ProfileModel:
    """The measured fibre profile and how it varies over the chip.

    The profile is the fraction of a fibre's light in a column that falls into a pixel whose centre lies a
    given offset above the tramline; over all pixels it sums to one. It is tabulated at nodes over the chip
    and interpolated bilinearly between them.

    Attributes
    ----------
    table : ndarray of float64 (rows of nodes, columns of nodes, offsets)
        Profile values at each node.
    row_nodes, column_nodes : ndarray of float64
        Where the nodes are [pixel]; both ascending.
    first_offset, offset_step : float
        Offset of the first table entry and the spacing of entries [pixel].
    inner_fraction, inner_length, halo_fraction, halo_length : float
        Light of a fibre, relative to the profile's, in its inner and in its far halo, which fall off exponentially
        along the column and reach beyond the table, and the lengths over which they do [pixel].
    tails : tuple of float
        What of a fibre's light the exponentials of the table send to the first pixel beyond it.
    wings : Wings or None
        What the flat knows of the light beyond the core; None where nothing was measured.
    """

    table: FloatArray
    row_nodes: FloatArray
    column_nodes: FloatArray
    first_offset: float
    offset_step: float
    inner_fraction: float = 0.0
    inner_length: float = 12.0
    halo_fraction: float = 0.0
    halo_length: float = 40.0
    tails: tuple[float, float] = (0.0, 0.0)
    wings: Wings | None = None

    @property
    def halo(self) -> tuple[float, float, float, float]:
        """Fraction and length of the inner halo, and of the far one."""
        return self.inner_fraction, self.inner_length, self.halo_fraction, self.halo_length

    @property
    def beyond(self) -> Beyond:
        """What is sent beyond the table, for the kernels: the halos, and the tails of the exponentials."""
        return *self.halo, *self.tails

    @property
    def whole(self) -> float:
        """Light of a fibre over that of its profile's table."""
        tails = (
            2.0 * each / -np.expm1(-1.0 / length)
            for each, length in zip(self.tails, TAIL_LENGTHS, strict=True)
        )
        return float(1.0 + self.inner_fraction + self.halo_fraction + sum(tails))


@dataclass(frozen=True, eq=False)
class Tramlines:
    """Where each fibre's light runs over the chip, and its profile across.

    Attributes
    ----------
    centre : ndarray of float64 (400, 2048)
        0-based row of the profile's centre at each column; interpolated for fibres that are not lit.
    width : ndarray of float64 (400, 2048)
        Full width at half maximum of the profile [pixel].
    lit : ndarray of bool (400,)
        Fibres whose trace was measured in the flat.
    rms : ndarray of float64 (400,)
        Scatter of measured positions about the fitted line [pixel]; NaN where not lit.
    profile : ProfileModel
        The profile across the fibres.
    mwidth : float
        Median full width at half maximum over the lit fibres [pixel].
    history : tuple of str
    figures : dict of str to float
        Quality figures (traces found, expected, shift...).
    bad : ndarray of bool (400, 2048) or None
        Spectral pixels on bad columns of the detector; extraction makes them NaN.
    """

    centre: FloatArray
    width: FloatArray
    lit: BoolArray
    rms: FloatArray
    profile: ProfileModel
    mwidth: float
    history: tuple[str, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)
    bad: BoolArray | None = None


@dataclass(frozen=True, eq=False)
class Spectra:
    """Extracted spectra.

    Attributes
    ----------
    flux : ndarray of float32 (400, 2048)
        Electrons per spectral pixel, summed over the fibre's profile; NaN = bad.
    variance : ndarray of float32 (400, 2048)
        Variance of flux [electron^2]; NaN where flux is.
    history : tuple of str
    figures : dict of str to float
        Quality figures of this step (drift, cosmic rays, scattered light...).
    centre : ndarray of float64 (lit fibres, 2048) or None
        Tramlines of the lit fibres as they lie in this frame.
    """

    flux: FloatImage
    variance: FloatImage
    history: tuple[str, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)
    centre: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class WavelengthSolution:
    """Wavelength of every spectral pixel of an arc (and of the frames it calibrates).

    Attributes
    ----------
    wavelength : ndarray of float64 (400, 2048)
        Angstrom in air at pixel centres (x = 0 .. 2047); interpolated for fibres without lines.
    rms : ndarray of float64 (400,)
        Scatter of lines about the solution [Angstrom]; NaN where none were fitted.
    lines_used : ndarray of int (400,)
        Lines kept in the fit of each fibre.
    history : tuple of str
    figures : dict of str to float
    """

    wavelength: FloatArray
    rms: FloatArray
    lines_used: NDArray[np.int64]
    history: tuple[str, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class LinearGrid:
    """A linear wavelength grid.

    Attributes
    ----------
    start : float
        Wavelength at the centre of the first pixel [Angstrom].
    step : float
        Angstrom per pixel.
    n : int
        Number of pixels.
    """

    start: float
    step: float
    n: int

    @property
    def wavelengths(self) -> FloatArray:
        """Wavelengths at the pixel centres [Angstrom]."""
        return self.start + self.step * np.arange(self.n, dtype=np.float64)

    @property
    def edges(self) -> FloatArray:
        """Wavelengths at the ``n + 1`` pixel edges [Angstrom]."""
        return self.start + self.step * (np.arange(self.n + 1, dtype=np.float64) - 0.5)
