"""The parameters of a reduction: 2dFdr's names, their meaning here, defaults, and how values are read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from quicklook.errors import InvalidInput

Value = bool | int | float | str
Kind = Literal["logical", "integer", "real", "choice", "file", "text"]

TRUE_WORDS = frozenset({"1", "T", "TRUE", "Y", "YES", ".TRUE.", "ON"})
FALSE_WORDS = frozenset({"0", "F", "FALSE", "N", "NO", ".FALSE.", "OFF"})


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Attributes
    ----------
    name : str
        2dFdr's name, upper case.
    kind : str
        What its value is.
    default : bool, int, float or str
    meaning : str
        One line for the user.
    choices : tuple of str
        Accepted words of a ``choice``.
    low, high : float
        Accepted range of a number, ends included.
    """

    name: str
    kind: Kind
    default: Value
    meaning: str
    choices: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf

    def read(self, text: str) -> Value:
        """Read a value as given on a command line or in an idx file.

        Raises
        ------
        InvalidInput
            When the text is not a value of this parameter.
        """
        word = text.strip()
        if self.kind == "logical":
            if word.upper() in TRUE_WORDS:
                return True
            if word.upper() in FALSE_WORDS:
                return False
            raise InvalidInput(f"-{self.name} {word!r}: give 1 or 0 (also T/F, YES/NO)")
        if self.kind == "choice":
            for choice in self.choices:
                if word.upper() == choice.upper():
                    return choice
            raise InvalidInput(f"-{self.name} {word!r}: choose one of {', '.join(self.choices)}")
        if self.kind in ("integer", "real"):
            return self._number(word)
        if any(not c.isprintable() for c in word):
            raise InvalidInput(f"-{self.name}: the value holds characters that cannot be printed")
        if len(word) > 4096:
            raise InvalidInput(f"-{self.name}: the value is longer than any file name")
        return word

    def _number(self, word: str) -> Value:
        try:
            value = float(word)
        except ValueError:
            raise InvalidInput(f"-{self.name} {word!r}: a number is needed") from None
        if not math.isfinite(value) or not self.low <= value <= self.high:
            raise InvalidInput(f"-{self.name} {word!r}: must lie between {self.low:g} and {self.high:g}")
        if self.kind == "integer":
            if value != int(value):
                raise InvalidInput(f"-{self.name} {word!r}: a whole number is needed")
            return int(value)
        return value


def _logical(name: str, default: bool, meaning: str) -> Parameter:
    return Parameter(name, "logical", default, meaning)


def _integer(name: str, default: int, low: int, high: int, meaning: str) -> Parameter:
    return Parameter(name, "integer", default, meaning, low=low, high=high)


def _real(name: str, default: float, low: float, high: float, meaning: str) -> Parameter:
    return Parameter(name, "real", default, meaning, low=low, high=high)


def _choice(name: str, choices: tuple[str, ...], meaning: str) -> Parameter:
    return Parameter(name, "choice", choices[0], meaning, choices=choices)


def _file(name: str, meaning: str) -> Parameter:
    return Parameter(name, "file", "", meaning)


PARAMETERS: tuple[Parameter, ...] = (
    # Calibration frames and their switches.
    _logical("USEBIASIM", False, "subtract the frame named by BIAS_FILENAME"),
    _file("BIAS_FILENAME", "reduced or combined bias"),
    _logical("USEDARKIM", False, "subtract the frame named by DARK_FILENAME, scaled by exposure time"),
    _file("DARK_FILENAME", "reduced or combined dark"),
    _logical("USEFLATIM", False, "divide by the frame named by LFLAT_FILENAME"),
    _file("LFLAT_FILENAME", "reduced or combined long-slit flat"),
    _file("TLMAP_FILENAME", "tramline map (NAMEtlm.fits); written by make_tlm, read by the others"),
    _file("WAVEL_FILENAME", "reduced arc, whose wavelengths are used"),
    _logical("USEFFLAT", True, "divide by the frame named by FFLAT_FILENAME, when one is named"),
    _file("FFLAT_FILENAME", "reduced fibre flat"),
    _file("THPUT_FILENAME", "reduced offset-sky or twilight frame, whose THPUT is used by TPMETH OFFSKY"),
    # Image.
    _choice("FITOVERSCAN", ("SPLINE", "FIT", "POLYEXP"), "how the overscan's trend along the rows is fitted"),
    _integer("OVERSCANORDER", 9, 0, 30, "degree of the overscan fit for FIT and POLYEXP"),
    # Tramlines and extraction.
    _logical("DO_TLMAP", True, "reduce_fflat: make the tramline map (else read TLMAP_FILENAME)"),
    _logical("DO_EXTRA", True, "reduce_fflat: extract the spectra"),
    _logical("DO_REDFL", True, "reduce_fflat: make the fibre flat"),
    _logical("MSR_TLM_CREEP", True, "measure and follow the shift of the fibres since the flat"),
    _real("SHIFTTLM", 0.0, -20.0, 20.0, "shift added to the tramline map [pixel]"),
    _real("ROTTLM", 0.0, -2.0, 2.0, "rotation of the tramline map about the chip's middle [degree]"),
    _real("SCLTLM", 1.0, 0.95, 1.05, "scale of the tramline map about the chip's middle"),
    _choice(
        "EXTR_OPERATION",
        ("OPTEX", "SMCOPTEX", "CLOPTEX", "GAUSS", "FIT", "SUM", "TRAM", "NEWTRAM"),
        "extraction: TRAM, NEWTRAM and SUM add the pixels of the profile's core; the others fit all fibres together",
    ),
    _choice(
        "SCATSUB", ("TRACE", "1DFIT", "KOALA", "NONE"), "model of scattered light (NONE: none is fitted)"
    ),
    _choice(
        "COSRAY_MTHD",
        ("AUTO", "LACOSMIC", "PYCOSMIC", "BCLEAN", "NONE"),
        "cosmic rays are found against the model of the fibres (NONE: not looked for; AUTO: not in lamps)",
    ),
    _logical("LACOSMIC", True, "older switch for the same: NO is COSRAY_MTHD NONE"),
    # Wavelengths.
    _integer("ARCFITORDER", 0, 0, 8, "degree of the arc fit along the spectrum; 0 finds it from the lines"),
    _real("ARCMAXSHIFT", 100.0, 5.0, 400.0, "largest error of the predicted wavelengths looked for [pixel]"),
    _logical("SKYSCRUNCH", True, "correct wavelengths for the drift since the arc, from the sky lines"),
    _real("WAVE_START", 0.0, 0.0, 1200.0, "first wavelength of the output [nm]; 0 takes it from the arc"),
    _real("WAVE_END", 0.0, 0.0, 1200.0, "last wavelength of the output [nm]; 0 takes it from the arc"),
    # Fibre flat.
    _choice(
        "BSSMOOTH",
        ("AUTO", "1", "0"),
        "smooth the fibre flat along the spectrum (AUTO: where it loses nothing)",
    ),
    _logical("TRUNCFLAT", False, "use the flat only between USEFLATSTART and USEFLATEND, one elsewhere"),
    _integer("USEFLATSTART", 1, 1, 2048, "first column of the flat that is used"),
    _integer("USEFLATEND", 2048, 1, 2048, "last column of the flat that is used"),
    # Throughput and sky.
    _logical("THRUPUT", True, "calibrate the fibres' throughput"),
    _choice(
        "TPMETH",
        ("SKYLINE(KGB)", "SKYLINE(MED)", "SKYFLUX(MED)", "SKYFLUX(COR)", "OFFSKY", "EXTERN", "LAMP"),
        "how: sky lines, all light, the file THPUT_FILENAME, or the flat lamp",
    ),
    _logical("SKYSUB", True, "subtract the sky measured by the sky fibres"),
    _choice(
        "SKYCOMBINE",
        ("SPLINE", "MEDIAN", "MEAN", "UNWTMEDIAN"),
        "how sky fibres are combined: one spline on their own pixels, or on the common grid",
    ),
    _real("SKYLAM_START", 0.0, 0.0, 12000.0, "sky used for throughput begins here [Angstrom]"),
    _real("SKYLAM_END", 0.0, 0.0, 12000.0, "and ends here [Angstrom]; 0 means no limit"),
    _logical("PCASKY", False, "take out what the residual sky lines of the fibres have in common"),
    _integer("PCANUM", 6, 1, 100, "principal components for PCASKY"),
    _real("PCALMIN", 0.0, 0.0, 12000.0, "PCASKY begins here [Angstrom]"),
    _real("PCALMAX", 0.0, 0.0, 12000.0, "and ends here [Angstrom]; 0 means no limit"),
    _logical("INC_RWSS", True, "keep the spectra before sky subtraction in extension RWSS"),
    _logical("VELCOR", False, "shift the wavelength scale by the heliocentric correction (always recorded)"),
    # Combining and splicing.
    _file("COMBINEDFILE", "name of the combined file"),
    _choice(
        "FLUXWT",
        ("FRAMES", "OBJECT", "NONE"),
        "relative flux of the exposures: one each, per object, or equal",
    ),
    _real(
        "CSIGREJ", 5.0, 0.0, 100.0, "cosmic rays lie this many sigma above the other exposures; 0 keeps all"
    ),
    _logical("COMBNAME", True, "match objects by name (else by fibre)"),
    _file("OUTPUT_FILE", "name of the spliced file"),
    # Where files are.
    _logical("KEEP_INTERMEDIATE", True, "write the im and ex frames too"),
    _file("IDXFILE", "parameter file to read first"),
    _file("WDIR", "folder in which the command works"),
    _file("OUT_DIRNAME", "folder for products, when it is not the working folder"),
)

BY_NAME: Mapping[str, Parameter] = {p.name: p for p in PARAMETERS}

WITHOUT_EFFECT = frozenset(
    [
        "AUTO_COMB",
        "BIASOVSCAN",
        "BSSNPARS",
        "BSSNSIGM",
        "COMBAB",
        "COMB_ADJUST",
        "CORRCEN",
        "COSMICFINE",
        "CRFINEGAUSS",
        "CRFINETHRESH",
        "CR_NGROW",
        "CSMOOTH",
        "CSYST",
        "EXTRAC_FILENAME",
        "GAMMA",
        "IMAGE_FILENAME",
        "LACOSMICNITER",
        "LACOSMICSIG",
        "LACOSMICSIGF",
        "LAF_FLAG",
        "LAF_PAR",
        "NUMBADPIXEX",
        "OPTEX_MKRES",
        "OPTEX_NSLPARS",
        "OPTEX_SLMODEL",
        "OUTPUT_FILENAME",
        "PCAFAINT",
        "PCAONLYSKY",
        "PCASIG",
        "PSF_TYPE",
        "SIGMA",
        "SIGPROF",
        "SKYFITORDER",
        "SKYSCRUNCHSM",
        "SPECRES",
        "SUBSKY",
        "TELCOR",
        "TELSN",
        "TLMFITOFF",
        "TLMFITSAMPLE",
        "TLMFITSUBBKG",
        "TLMGAUSSFIT",
        "TLMNEXGAUSSFIT",
        "USEFLAT",
        "USE_WSM_ALGOL",
        "DO_BIAS",
        "TASKNAME",
        "COMPLETE",
        "ERROR",
    ]
)
"""Parameters of 2dFdr that name a detail of its own methods: accepted, without effect here."""

GRATING_DEFAULTS: Mapping[str, Mapping[str, Value]] = {
    # No sky line of use falls into these ranges.
    "1700B": {"SKYSCRUNCH": False},
    "3200B": {"SKYSCRUNCH": False},
    "1500V": {"SKYSCRUNCH": False},
    "2500V": {"SKYSCRUNCH": False},
}
"""Defaults that differ for a grating (by GRATID) at its usual centre."""


class Settings(Mapping[str, Value]):
    """Values of all parameters: those given, the grating's, and the general defaults, in this order.

    Parameters
    ----------
    given : mapping
        Values from idx file and command line.
    grating : str
        GRATID of the frame.
    """

    def __init__(self, given: Mapping[str, Value] | None = None, grating: str = "") -> None:
        self.given = dict(given or {})
        self._grating = GRATING_DEFAULTS.get(grating.strip().upper(), {})

    def __getitem__(self, name: str) -> Value:
        if name in self.given:
            return self.given[name]
        if name in self._grating:
            return self._grating[name]
        return BY_NAME[name].default

    def __iter__(self) -> Iterator[str]:
        return iter(BY_NAME)

    def __len__(self) -> int:
        return len(BY_NAME)

    def for_grating(self, grating: str) -> Settings:
        """The same given values with the defaults of a grating."""
        return Settings(self.given, grating)

    def on(self, name: str) -> bool:
        """Value of a logical parameter."""
        return bool(self[name])

    def real(self, name: str) -> float:
        """Value of a numeric parameter."""
        return float(self[name])

    def whole(self, name: str) -> int:
        """Value of an integer parameter."""
        return int(self[name])

    def word(self, name: str) -> str:
        """Value of a choice, file or text parameter."""
        return str(self[name])

    def arguments(self) -> dict[str, str]:
        """All values as text, for the REDUCTION_ARGS extension."""
        return {name: _text(self[name]) for name in self}


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "T" if value else "F"
    return f"{value:g}" if isinstance(value, float) else str(value)


def help_text() -> str:
    """All parameters with meaning and default, one a line."""
    lines = ["Parameters (names as in 2dFdr, case does not matter; -NAME value, or in an idx file):", ""]
    for p in PARAMETERS:
        default = _text(p.default) or "none"
        words = f" {{{', '.join(p.choices)}}}" if p.choices else ""
        lines.append(f"  {p.name:<15} {p.kind:<8} default {default:<12} {p.meaning}{words}")
    lines += ["", "Defaults that differ for a grating:"]
    for grating, values in GRATING_DEFAULTS.items():
        lines.append(f"  {grating:<6} " + ", ".join(f"{k} {_text(v)}" for k, v in values.items()))
    lines += ["", "Accepted without effect here: " + ", ".join(sorted(WITHOUT_EFFECT))]
    return "\n".join(lines)
