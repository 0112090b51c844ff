"""Take one frame of a planned night: light through fibres, spectrograph and detector, with its truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, lru_cache
from math import radians, sin

import numpy as np
from numpy.typing import NDArray

from simulator import lamps, objects, sky
from simulator.detector import DETECTORS, CosmicRays, digitise, image_of, profile_of, strike
from simulator.headers import pointing_at
from simulator.kernels import absorb_lines, add_common_lines, add_own_lines
from simulator.optics import Setup
from simulator.plan import ExposurePlan, FieldPlan, Illumination, NightPlan
from simulator.slit import FIBRES, Camera, Slit, make_camera, make_slit, trace_rows, wavelengths
from simulator.targets import FieldTargets, make_targets, open_to_lamps, open_to_sky
from simulator.throughput import arm_efficiency, atmosphere, dichroic_share
from simulator.timescale import modified_julian_date

FloatArray = NDArray[np.float64]

# A typical fibre of 2.1 arcsec catches this much of a point source in median seeing.
_APERTURE = 0.55
_TWILIGHT_PHOTONS = 3.0e3
_GRID_STEP_PIXELS = 0.5


@dataclass(frozen=True)
class Truth:
    """What a perfect reduction of a frame would find.

    Parameters
    ----------
    wavelength : ndarray, shape (400, 2048)
        Angstrom in air at pixel centres.
    trace : ndarray, shape (400, 2048)
        0-based row of the profile's centroid.
    electrons : ndarray of float32, shape (400, 2048)
        Expected electrons per spectral pixel, object and sky or lamp, wings included.
    sky_electrons : ndarray of float32, shape (400, 2048)
        The sky's part of them.
    throughput : ndarray, shape (400,)
        Grey fibre transmission, mean 1 over fibres that work, 0 for those that do not.
    cosmic_rays : ndarray of int32, shape (n, 2)
        0-based row and column of every pixel a cosmic ray touched.
    dichroic : ndarray of float32, shape (400, 2048)
        Fraction of the light that the dichroic handed to this arm.
    """

    wavelength: FloatArray
    trace: FloatArray
    electrons: NDArray[np.float32]
    sky_electrons: NDArray[np.float32]
    throughput: FloatArray
    cosmic_rays: NDArray[np.int32]
    dichroic: NDArray[np.float32]


@dataclass(frozen=True)
class Frame:
    """A raw frame.

    Parameters
    ----------
    counts : ndarray of uint16, shape (4098, 2070)
        What the detector wrote.
    truth : Truth
        What it saw.
    """

    counts: NDArray[np.uint16]
    truth: Truth


@dataclass(frozen=True)
class Geometry:
    """Where the light of every fibre falls in one exposure.

    Parameters
    ----------
    wavelength, trace : ndarray, shape (400, 2048)
        As in `Truth`.
    step : ndarray, shape (400, 2048)
        Angstrom per pixel.
    """

    wavelength: FloatArray
    trace: FloatArray
    step: FloatArray


@dataclass(frozen=True, eq=False)
class Observatory:
    """The instrument of a night, ready to expose. Safe to use from several threads.

    Parameters
    ----------
    night : NightPlan
        The plan whose exposures are taken.
    """

    night: NightPlan

    @cached_property
    def slits(self) -> tuple[Slit, Slit]:
        """Slits of plate 0 and plate 1."""
        conditions = self.night.conditions
        return make_slit(0, self._rng(21, 0), conditions), make_slit(1, self._rng(21, 1), conditions)

    @cached_property
    def cameras(self) -> dict[str, Camera]:
        """Camera of each arm."""
        return {arm: make_camera(arm, self._rng(22, DETECTORS[arm].ccd)) for arm in self.night.arms}

    @cached_property
    def targets(self) -> tuple[FieldTargets, ...]:
        """Targets of each field of the night."""
        return tuple(self._configure(plan) for plan in self.night.fields)

    def geometry(self, exposure: ExposurePlan, arm: str) -> Geometry:
        """Wavelength and trace of every fibre, the night's drift at mid-exposure included."""
        slit, camera = self.slits[exposure.plate], self.cameras[arm]
        drift_x, drift_y = self.drift(exposure, arm)
        wave = wavelengths(slit, camera, self.night.setups[arm], drift_x)
        return Geometry(wave, trace_rows(slit, camera, drift_y), np.gradient(wave, axis=1))

    def drift(self, exposure: ExposurePlan, arm: str) -> tuple[float, float]:
        """Shift of the image at mid-exposure along x and y, pixels.

        It is slow, and below 0.3 all night; the conditions may add a jump after a field's calibrations.
        """
        rng = self._rng(23, DETECTORS[arm].ccd, self.night.night.toordinal())
        phase = rng.uniform(0.0, 2.0 * np.pi, 2)
        size = rng.uniform(0.06, 0.14, 2)
        slope = rng.uniform(-0.12, 0.12, 2)
        middle = exposure.start + timedelta(seconds=0.5 * exposure.seconds)
        hours = 24.0 * (modified_julian_date(middle) - (self.night.night.toordinal() - 678576))
        fraction = (min(hours, 24.0) - 12.0) / 12.0
        x, y = (
            float(size[i] * sin(2.0 * np.pi * hours / 9.0 + phase[i]) + slope[i] * fraction) for i in (0, 1)
        )
        if exposure.light in (Illumination.TARGETS, Illumination.NIGHT_SKY):
            x, y = x + self.night.conditions.drift_x, y + self.night.conditions.drift_y
        return x, y

    def spectra(self, exposure: ExposurePlan, arm: str, geometry: Geometry) -> tuple[FloatArray, FloatArray]:
        """Expected electrons of every fibre per pixel of dispersion: all light, and the sky's part."""
        if exposure.light is Illumination.NONE or exposure.field is None:
            dark = np.zeros_like(geometry.wavelength)
            return dark, dark
        targets = self.targets[exposure.field.number]
        efficiency = self._efficiency(exposure, arm, geometry)
        scene = {
            Illumination.QUARTZ: self._quartz,
            Illumination.ARC: self._arc,
            Illumination.TWILIGHT: self._twilight,
            Illumination.NIGHT_SKY: self._night_sky,
            Illumination.TARGETS: self._night_sky,
        }[exposure.light]
        everything = scene(exposure, arm, geometry, targets) * efficiency
        if exposure.light in (Illumination.QUARTZ, Illumination.ARC):
            return everything, np.zeros_like(everything)
        sky_only = everything
        if exposure.light is Illumination.TARGETS:
            everything = sky_only + self._objects(exposure, arm, geometry, targets) * efficiency
        return everything, sky_only

    def expose(self, exposure: ExposurePlan, arm: str) -> Frame:
        """Take one frame."""
        geometry = self.geometry(exposure, arm)
        electrons, sky_electrons = self.spectra(exposure, arm, geometry)
        conditions = self.night.conditions
        image = image_of(profile_of(arm, conditions), electrons, geometry.trace)
        rng = self._frame_rng(exposure, arm)
        cosmics: CosmicRays = strike(DETECTORS[arm], exposure.seconds, rng)
        counts = digitise(arm, image, exposure.seconds, cosmics, self.night.seed, rng, conditions)
        truth = Truth(
            wavelength=geometry.wavelength,
            trace=geometry.trace,
            electrons=electrons.astype(np.float32),
            sky_electrons=sky_electrons.astype(np.float32),
            throughput=self.slits[exposure.plate].throughput,
            cosmic_rays=cosmics.pixels,
            dichroic=dichroic_share(arm, self.night.dichroic, geometry.wavelength).astype(np.float32),
        )
        return Frame(counts, truth)

    def _configure(self, plan: FieldPlan) -> FieldTargets:
        seed = [self.night.seed, 28, plan.number, self.night.night.toordinal()]
        centre = radians(plan.centre_ra), radians(plan.centre_dec)
        return make_targets(plan.label, self.slits[plan.plate], *centre, seed, self.night.conditions)

    def _efficiency(self, exposure: ExposurePlan, arm: str, geometry: Geometry) -> FloatArray:
        """Electrons per photon in a fibre's mouth, fibre transmission included, shape (400, 2048)."""
        assert exposure.field is not None
        slit = self.slits[exposure.plate]
        wave = geometry.wavelength
        low, high = wave.min(), wave.max()
        common = _on_grid(lambda w: arm_efficiency(arm, self.night.dichroic, w), geometry)
        tint = 1.0 + slit.colour[:, None] * (wave - 0.5 * (low + high)) / (high - low)
        return np.asarray(common * tint * slit.throughput[:, None])

    def _quartz(
        self, exposure: ExposurePlan, arm: str, geometry: Geometry, targets: FieldTargets
    ) -> FloatArray:
        # The flaps do not light the plate quite evenly, so a flat alone does not give the throughput.
        uneven = 1.0 + 0.03 * targets.x / 2.3e5 - 0.02 * targets.y / 2.3e5
        brightness = lamps.QUARTZ_PHOTONS * self.night.conditions.flat_level
        level = brightness * exposure.seconds * uneven * open_to_lamps(targets)
        return _on_grid(lamps.quartz, geometry) * geometry.step * level[:, None]

    def _arc(self, exposure: ExposurePlan, arm: str, geometry: Geometry, targets: FieldTargets) -> FloatArray:
        wave, flux = lamps.arc()
        result = np.zeros_like(geometry.wavelength)
        seconds = exposure.seconds * self.night.conditions.arc_level
        scale = seconds * open_to_lamps(targets).astype(np.float64)
        self._add_lines(result, geometry, scale, wave, flux, arm)
        # Lamps glow faintly between their lines.
        return result + 0.15 * geometry.step * scale[:, None]

    def _twilight(
        self, exposure: ExposurePlan, arm: str, geometry: Geometry, targets: FieldTargets
    ) -> FloatArray:
        setup = self.night.setups[arm]
        airmass = pointing_at(exposure, exposure.start).airmass
        wave, depth, sigma = sky.solar_lines(_line_sigma(setup) * setup.dispersion)

        def sunlight(grid: FloatArray) -> FloatArray:
            light = (sky.twilight_continuum(grid) * atmosphere(grid, airmass))[None, :]
            absorb_lines(light, grid[None, :], np.zeros(wave.size, dtype=np.int64), wave, depth, sigma)
            return np.asarray(light[0])

        level = _TWILIGHT_PHOTONS * exposure.seconds * open_to_sky(targets)
        return _on_grid(sunlight, geometry) * geometry.step * level[:, None]

    def _night_sky(
        self, exposure: ExposurePlan, arm: str, geometry: Geometry, targets: FieldTargets
    ) -> FloatArray:
        rng = self._rng(24, self.night.night.toordinal(), exposure.run)
        lines, continuum = rng.uniform(0.75, 1.35), rng.uniform(0.95, 1.15)
        scale = exposure.seconds * open_to_sky(targets).astype(np.float64)
        result = _on_grid(lambda w: sky.night_sky_continuum(w, continuum), geometry) * geometry.step
        result *= scale[:, None]
        wave, flux = sky.night_sky_lines(lines)
        self._add_lines(result, geometry, scale, wave, flux, arm)
        return result

    def _objects(
        self, exposure: ExposurePlan, arm: str, geometry: Geometry, targets: FieldTargets
    ) -> FloatArray:
        """Photons of the targets in the fibres' mouths, shape (400, 2048)."""
        setup = self.night.setups[arm]
        fibres = np.flatnonzero(targets.kind == "P").astype(np.int64)
        result = np.zeros_like(geometry.wavelength)
        result[fibres] = objects.continuum(targets, geometry.wavelength[fibres], fibres)

        dark = _absorption(targets)
        sigma = np.hypot(dark.sigma, _line_sigma(setup) * setup.dispersion)
        depth = np.minimum(dark.strength / (np.sqrt(2.0 * np.pi) * sigma), 0.9)
        absorb_lines(result, geometry.wavelength, dark.fibre, dark.wavelength, depth, sigma)
        result *= geometry.step

        bright = _emission(targets)
        seen = _within(bright.wavelength, geometry, margin=bright.sigma * 10.0)
        add_own_lines(
            result, geometry.wavelength, bright.fibre[seen], bright.wavelength[seen],
            bright.strength[seen], bright.sigma[seen], _line_sigma(setup),
        )  # fmt: skip

        middle = exposure.start + timedelta(seconds=0.5 * exposure.seconds)
        airmass = pointing_at(exposure, middle).airmass
        caught = self._caught(exposure)
        return (
            result * _on_grid(lambda w: atmosphere(w, airmass), geometry) * caught[:, None] * exposure.seconds
        )

    def _caught(self, exposure: ExposurePlan) -> FloatArray:
        """Share of each target's light that enters its fibre: seeing, cloud and placement."""
        assert exposure.field is not None
        placement = self._rng(25, self.night.night.toordinal(), exposure.field.number)
        sky_now = self._rng(26, self.night.night.toordinal(), exposure.run)
        each = np.clip(placement.normal(1.0, 0.08, FIBRES), 0.6, 1.15)
        brightness = 10.0 ** (-0.4 * self.night.conditions.target_magnitude)
        return np.asarray(_APERTURE * brightness * each * sky_now.uniform(0.82, 1.05))

    def _add_lines(
        self, result: FloatArray, geometry: Geometry, scale: FloatArray, wave: FloatArray, flux: FloatArray,
        arm: str,
    ) -> None:  # fmt: skip
        setup = self.night.setups[arm]
        seen = _within(wave, geometry, margin=20.0 * setup.dispersion)
        add_common_lines(result, geometry.wavelength, scale, wave[seen], flux[seen], _line_sigma(setup))

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64([self.night.seed, *key]))

    def _frame_rng(self, exposure: ExposurePlan, arm: str) -> np.random.Generator:
        """Noise of one frame: the same whoever renders it, and in whatever order."""
        key = [self.night.seed, 27, self.night.night.toordinal(), exposure.run, DETECTORS[arm].ccd]
        return np.random.Generator(np.random.SFC64(key))


@lru_cache(maxsize=16)
def _absorption(targets: FieldTargets) -> objects.SpectralLines:
    return objects.absorption(targets)


@lru_cache(maxsize=16)
def _emission(targets: FieldTargets) -> objects.SpectralLines:
    return objects.emission(targets)


def _line_sigma(setup: Setup) -> float:
    return setup.line_fwhm / 2.3548200450309493


def _within(wave: FloatArray, geometry: Geometry, margin: FloatArray | float) -> NDArray[np.bool_]:
    low, high = geometry.wavelength.min(), geometry.wavelength.max()
    return np.asarray((wave > low - margin) & (wave < high + margin))


def _on_grid(function: Callable[[FloatArray], FloatArray], geometry: Geometry) -> FloatArray:
    """Evaluate a smooth function of wavelength once and interpolate it to every fibre.

    The grid is finer than a pixel; the fibres' 800,000 wavelengths differ by less than that.
    """
    wave = geometry.wavelength
    low, high = wave.min(), wave.max()
    step = _GRID_STEP_PIXELS * geometry.step.mean()
    grid = np.linspace(low, high, int((high - low) / step) + 2)
    return np.interp(wave, grid, function(grid))
