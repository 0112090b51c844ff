"""What every verb needs: the calibrations that the parameters name, and places to write to."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from quicklook import __version__, nanmath
from quicklook.command import Command
from quicklook.errors import InvalidInput
from quicklook.extraction import extract_with_mask
from quicklook.headers import card_value
from quicklook.image import make_image
from quicklook.optics import predict_wavelengths
from quicklook.parameters import Settings
from quicklook.products import Product, write_product
from quicklook.raw import RawFrame, read_raw
from quicklook.shelf import SHELF
from quicklook.tramlines import MAP_PARTS, find_tramlines, product_to_tramlines, tramlines_to_product
from quicklook.types import FloatArray, Image, Spectra, Tramlines

LAMPS = frozenset({"MFFFF", "MFARC", "LFLAT", "DFLAT"})
FULL_WELL = 65535.0


@dataclass
class Work:
    """One command being carried out.

    Attributes
    ----------
    command : Command
    say : callable
        Takes one line for the log.
    written : list of Path
        Products made so far.
    figures : dict
        Quality figures gathered so far, for the JSON beside the last product.
    """

    command: Command
    say: Callable[[str], None]
    written: list[Path] = field(default_factory=list)
    figures: dict[str, object] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """The parameters."""
        return self.command.settings

    def one_file(self) -> Path:
        """The one frame that the verb works on."""
        words = self.command.words
        if len(words) != 1:
            given = "none" if not words else str(len(words))
            raise InvalidInput(f"{self.command.verb} works on one file, {given} given; name one raw frame")
        return self.command.found(words[0])

    def calibration(
        self, switch: str, name: str, what: str, only: Collection[str] = ("VARIANCE",)
    ) -> Product | None:
        """A calibration frame, when its switch is on (or it is named and the switch was not given).

        Of its extensions those in ``only`` are read.
        """
        file = self.settings.word(name)
        named = bool(file) and file.upper() not in ("NA", "NONE")
        wanted = self.settings.on(switch) if switch in self.settings.given else named
        if not wanted:
            return None
        if not named:
            raise InvalidInput(f"{switch} is on but {name} names no {what}; give -{name} FILE or -{switch} 0")
        return SHELF.read(self.command.found(file), only)

    def required(self, name: str, what: str, how: str, only: Collection[str]) -> Product:
        """A calibration that the verb cannot do without; of its extensions those in ``only`` are read."""
        file = self.settings.word(name)
        if not file or file.upper() in ("NA", "NONE"):
            raise InvalidInput(f"{self.command.verb} needs {what}; give -{name} FILE ({how})")
        return SHELF.read(self.command.found(file), only)

    def raw(self, path: Path) -> RawFrame:
        """Read the raw frame, and settle the defaults of its grating."""
        raw = read_raw(path)
        grating = card_value(raw.header, "GRATID")
        self.command = Command(
            self.command.verb,
            self.command.words,
            self.settings.for_grating(str(grating or "")),
            self.command.folder,
            self.command.notes,
        )
        self.say(f"RAW file = {path}")
        return raw

    def image(self, raw: RawFrame, *, by_columns: bool = False) -> Image:
        """The ``im`` step; ``by_columns`` as `quicklook.image.make_image` takes it."""
        bias = self.calibration("USEBIASIM", "BIAS_FILENAME", "bias")
        dark = self.calibration("USEDARKIM", "DARK_FILENAME", "dark")
        lflat = self.calibration("USEFLATIM", "LFLAT_FILENAME", "long-slit flat")
        if bias is None:
            self.say("Not subtracting from bias frame.")
        self.say("Debiasing from overscan region.")
        self.say("Data region = (0001:2048,0001:4098)")
        self.say("Bias region = (2049:2070,0001:4098)")
        params = self.step_parameters(raw.ndf_class)
        image = make_image(raw, bias=bias, dark=dark, lflat=lflat, params=params, by_columns=by_columns)
        self.figures.update(image.figures)
        self.figures["exposure_level"] = exposure_level(image)
        return image

    def step_parameters(self, ndf_class: str) -> dict[str, object]:
        """Parameters for the steps on the chip, with the defaults that depend on the class of frame."""
        params: dict[str, object] = {k: v for k, v in self.settings.items() if k != "OVERSCANORDER"}
        if "OVERSCANORDER" in self.settings.given:
            params["OVERSCANORDER"] = self.settings["OVERSCANORDER"]
        method = self.settings.word("COSRAY_MTHD")
        if not self.settings.on("LACOSMIC") or (method == "AUTO" and ndf_class in LAMPS):
            params["COSRAY_MTHD"] = "NONE"
        return params

    def make_tramlines(self, image: Image, path: Path) -> Tramlines:
        """Map the tramlines of a flat and write the map."""
        tramlines = find_tramlines(image, self.step_parameters("MFFFF"))
        found, expected = int(tramlines.lit.sum()), int(image.fibres.lit_in_flat.sum()) if image.fibres else 0
        self.say(f"From image sweep found {found} full strong traces across the image")
        self.say(f"MWIDTH estimate = {tramlines.mwidth:.3f}")
        self.say(f"Number of traces found = {found}")
        self.say(f"Number of traces expected = {expected}")
        self.say(f"Median tramline width FWHM= {tramlines.mwidth:.3f}")
        product = tramlines_to_product(tramlines, image)
        wavelengths = predict_wavelengths(image.header, tramlines.centre)
        product.extras["WAVELA"] = wavelengths / 10.0
        self.say(
            f"CENWAVE= {np.median(wavelengths[:, 1023]):.2f} , DISP= {np.median(np.diff(wavelengths)):.4f} , "
            f"DIST= {np.ptp(tramlines.centre[200]):.2f}"
        )
        self.figures.update({
            "traces_found": found, "traces_expected": expected, "profile_fwhm": tramlines.mwidth,
            "traces_rms": float(nanmath.median(tramlines.rms)),
        })  # fmt: skip
        self.write(path, product)
        self.say(f"Generated tramline map {path.name}")
        return tramlines

    def tramlines(self) -> Tramlines:
        """Read the map that TLMAP_FILENAME names."""
        tramlines = product_to_tramlines(
            self.required(
                "TLMAP_FILENAME", "a tramline map", "made by make_tlm from the flat of this field", MAP_PARTS
            )
        )
        self.figures.update({"traces_found": int(tramlines.lit.sum()), "profile_fwhm": tramlines.mwidth})
        return tramlines

    def spectra(self, image: Image, tramlines: Tramlines, ndf_class: str) -> tuple[Spectra, Image]:
        """Extract."""
        spectra, masked = extract_with_mask(image, tramlines, self.step_parameters(ndf_class))
        self.figures.update(spectra.figures)
        return spectra, masked

    def name(self, raw_path: Path, suffix: str) -> Path:
        """Where a product of a raw frame goes: NAME + suffix + .fits."""
        self.command.output.mkdir(parents=True, exist_ok=True)
        return self.command.output / f"{raw_path.stem}{suffix}.fits"

    def target(self, parameter: str) -> Path:
        """Where a combined or spliced product goes."""
        name = self.settings.word(parameter)
        if not name:
            raise InvalidInput(f"{self.command.verb} needs the name of its result; give -{parameter} FILE")
        path = self.command.output / name
        if path.suffix.lower() not in (".fits", ".fit"):
            path = path.with_name(path.name + ".fits")
        if not path.parent.is_dir():
            raise InvalidInput(f"folder {path.parent} for -{parameter} does not exist; create it first")
        return path

    def keep(self, raw_path: Path, suffix: str, product: Product) -> None:
        """Write an intermediate product, unless KEEP_INTERMEDIATE is off."""
        if self.settings.on("KEEP_INTERMEDIATE"):
            path = self.write(self.name(raw_path, suffix), product)
            if suffix == "im":
                self.say(f"Image data frame {path.name} created.")

    def write(self, path: Path, product: Product) -> Path:
        """Write a product with its arguments, version and units."""
        product.arguments = self.settings.arguments()
        product.header["TDFDRVER"] = (f"quicklook {__version__}", "reduction software and version")
        if "BUNIT" not in product.header:
            product.header["BUNIT"] = ("electron", "unit of the data")
        write_product(path, product)
        self.written.append(path)
        return path

    def write_quality(self, path: Path, figures: Mapping[str, object]) -> Path:
        """Write the quality figures beside a product, as JSON without NaN."""
        target = path.with_name(f"{path.stem}.quality.json")
        temporary = target.with_name(f".{target.name}.tmp")
        temporary.write_text(json.dumps(plain(figures), indent=1, sort_keys=True) + "\n", encoding="utf-8")
        temporary.replace(target)
        return target


def plain(value: object) -> object:
    """A value as JSON has it: NaN and infinity become null, arrays lists."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(v) for v in (value.tolist() if isinstance(value, np.ndarray) else value)]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return round(float(value), 7) if math.isfinite(value) else None
    return value if value is None else str(value)


def exposure_level(image: Image) -> float:
    """The brightest light (99.5th percentile of a sample) as a fraction of the converter's range."""
    sample = image.data[::7, ::5]
    filled = np.where(image.saturated[::7, ::5], FULL_WELL * image.gain, np.nan_to_num(sample))
    return float(np.percentile(filled, 99.5) / (FULL_WELL * image.gain))


def image_product(image: Image, ndf_class: str) -> Product:
    """The ``im`` frame."""
    return Product(
        data=image.data,
        variance=image.variance,
        header=image.header.copy(),
        fibres=image.fibres,
        ndf_class=ndf_class,
        history=list(image.history),
    )


def extracted_product(spectra: Spectra, image: Image, wavelength: FloatArray, ndf_class: str) -> Product:
    """The ``ex`` frame; WAVELA is the prediction or the arc's solution, in nm."""
    return Product(
        data=spectra.flux,
        variance=spectra.variance,
        header=image.header.copy(),
        fibres=image.fibres,
        ndf_class=ndf_class,
        extras={"WAVELA": wavelength / 10.0, "SHIFTS": no_shifts(len(wavelength))},
        history=list(spectra.history),
    )


def no_shifts(n_fibres: int) -> FloatArray:
    """The SHIFTS extension of spectra that were not shifted."""
    return np.tile([0.0, 1.0, 0.0, 0.0], (n_fibres, 1))
