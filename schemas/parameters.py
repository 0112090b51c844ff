"""Parameters that people may set for a reduction: one table that drives form, validation and documentation.

Names and choices are 2dFdr's. Defaults are the built-in reducer's; other engines have their own. Each parameter
says which kinds of reduction it concerns: others keep their keys when it changes, and what they made is reused.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from schemas.reductions import ParameterValue
from schemas.vocabulary import ReductionKind

VERSION: Final = 1
"""Raised when a parameter is taken away or changes its meaning; kept with each request."""

ValueKind = Literal["logical", "integer", "real", "choice"]

_TRUE: Final = frozenset({"1", "t", "true", "y", "yes", "on"})
_FALSE: Final = frozenset({"0", "f", "false", "n", "no", "off"})
_LONGEST: Final = 60

_OBJECT: Final = frozenset({ReductionKind.REDUCE_OBJECT})
_SCIENCE: Final = frozenset({ReductionKind.REDUCE_OBJECT, ReductionKind.REDUCE_SKY})
_ARC: Final = frozenset({ReductionKind.REDUCE_ARC})
_FLAT: Final = frozenset({ReductionKind.REDUCE_FFLAT})
_FIBRES: Final = _SCIENCE | _ARC | _FLAT
_COMBINE: Final = frozenset({ReductionKind.COMBINE_SPECTRA})
_IMAGES: Final = frozenset(ReductionKind) - {
    ReductionKind.COMBINE_IMAGE,
    ReductionKind.COMBINE_SPECTRA,
    ReductionKind.SPLICE,
}


class ParameterError(ValueError):
    """A parameter or its value cannot be used.

    Attributes
    ----------
    name
        Of the parameter, as far as it can be shown.
    reason
        What is wrong, for people.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.name = "".join(char for char in name if char.isprintable())[:_LONGEST]
        self.reason = reason
        super().__init__(f"{self.name}: {reason}")


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Attributes
    ----------
    name
        2dFdr's, in capitals.
    group
        Under which heading people find it.
    concerns
        Kinds of reduction that it changes.
    choices
        Words of a choice; the default first.
    own_choices
        Those that the built-in reducer alone knows.
    by_grating
        Defaults that differ for a grating.
    """

    name: str
    group: str
    kind: ValueKind
    default: ParameterValue
    meaning: str
    concerns: frozenset[ReductionKind]
    choices: tuple[str, ...] = ()
    own_choices: frozenset[str] = frozenset()
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""
    by_grating: tuple[tuple[str, ParameterValue], ...] = ()

    def default_for(self, grating: str) -> ParameterValue:
        """Default for a grating, by its name."""
        return dict(self.by_grating).get(grating.strip().upper(), self.default)

    def read(self, value: object) -> ParameterValue:
        """Value as it is kept, from a form, a command line or JSON.

        Raises
        ------
        ParameterError
            If it is none.
        """
        if isinstance(value, bool | int | float):
            word = ("1" if value else "0") if isinstance(value, bool) else repr(value)
        elif isinstance(value, str):
            word = value.strip()
        else:
            raise ParameterError(self.name, "expected one value")
        if len(word) > _LONGEST or not word.isprintable():
            raise ParameterError(self.name, f"a value has at most {_LONGEST} printable characters")
        match self.kind:
            case "logical":
                return self._logical(word)
            case "choice":
                return self._choice(word)
            case "integer" | "real":
                return self._number(word)

    def _logical(self, word: str) -> bool:
        if word.lower() in _TRUE:
            return True
        if word.lower() in _FALSE:
            return False
        raise ParameterError(self.name, "expected yes or no")

    def _choice(self, word: str) -> str:
        for choice in self.choices:
            if choice.upper() == word.upper():
                return choice
        raise ParameterError(self.name, f"expected one of {', '.join(self.choices)}")

    def _number(self, word: str) -> int | float:
        try:
            number = float(word)
        except ValueError:
            raise ParameterError(self.name, "expected a number") from None
        if not self.low <= number <= self.high:  # NaN lies nowhere
            raise ParameterError(self.name, f"expected a number from {self.low:g} to {self.high:g}")
        if self.kind == "real":
            return number
        if number != int(number):
            raise ParameterError(self.name, "expected a whole number")
        return int(number)


IMAGE, EXTRACTION, WAVELENGTHS = "Image", "Extraction", "Wavelengths"
FLAT, THROUGHPUT, SKY, COMBINING = "Fibre flat", "Throughput", "Sky", "Combining"

PARAMETERS: Final[tuple[Parameter, ...]] = (
    Parameter(
        "SKYSUB", SKY, "logical", True, "subtract the sky that the sky fibres measure", _OBJECT
    ),
    Parameter(
        "SKYCOMBINE", SKY, "choice", "SPLINE",
        "how sky fibres are combined: one spline through their own pixels, or on the common grid", _OBJECT,
        ("SPLINE", "MEDIAN", "MEAN", "UNWTMEDIAN"), frozenset({"SPLINE"}),
    ),
    Parameter(
        "PCASKY", SKY, "logical", False, "take out what the residual sky lines of the fibres have in common", _OBJECT
    ),
    Parameter(
        "PCANUM", SKY, "integer", 6, "number of principal components for PCASKY", _OBJECT, low=1, high=100
    ),
    Parameter("PCALMIN", SKY, "real", 0.0, "PCASKY begins here; 0 is no limit", _OBJECT, low=0, high=12000, unit="Å"),
    Parameter("PCALMAX", SKY, "real", 0.0, "PCASKY ends here; 0 is no limit", _OBJECT, low=0, high=12000, unit="Å"),
    Parameter("THRUPUT", THROUGHPUT, "logical", True, "calibrate the fibres' throughput", _OBJECT),
    Parameter(
        "TPMETH", THROUGHPUT, "choice", "SKYLINE(KGB)",
        "how: from sky lines, from all light, from an offset-sky frame, or from the flat lamp", _OBJECT,
        ("SKYLINE(KGB)", "SKYLINE(MED)", "SKYFLUX(MED)", "SKYFLUX(COR)", "OFFSKY", "LAMP"), frozenset({"LAMP"}),
    ),
    Parameter(
        "SKYLAM_START", THROUGHPUT, "real", 0.0, "sky light used for it begins here; 0 is no limit", _OBJECT,
        low=0, high=12000, unit="Å",
    ),
    Parameter(
        "SKYLAM_END", THROUGHPUT, "real", 0.0, "and ends here; 0 is no limit", _OBJECT, low=0, high=12000, unit="Å"
    ),
    Parameter(
        "COSRAY_MTHD", EXTRACTION, "choice", "AUTO",
        "how cosmic rays are found (AUTO: against the model of the fibres; NONE: they stay)", _SCIENCE,
        ("AUTO", "LACOSMIC", "PYCOSMIC", "BCLEAN", "NONE"), frozenset({"AUTO"}),
    ),
    Parameter(
        "EXTR_OPERATION", EXTRACTION, "choice", "OPTEX",
        "TRAM, NEWTRAM and SUM add the pixels of the profile's core; the others fit all fibres together", _FIBRES,
        ("OPTEX", "SMCOPTEX", "CLOPTEX", "GAUSS", "FIT", "SUM", "TRAM", "NEWTRAM"),
    ),
    Parameter(
        "SCATSUB", EXTRACTION, "choice", "TRACE", "model of scattered light (NONE: none is fitted)", _FIBRES,
        ("TRACE", "1DFIT", "KOALA", "NONE"),
    ),
    Parameter(
        "MSR_TLM_CREEP", EXTRACTION, "logical", True, "follow the shift of the fibres since the flat", _FIBRES
    ),
    Parameter(
        "SKYSCRUNCH", WAVELENGTHS, "logical", True, "correct the drift since the arc by the sky lines", _SCIENCE,
        by_grating=(("1700B", False), ("3200B", False), ("1500V", False), ("2500V", False)),
    ),
    Parameter(
        "VELCOR", WAVELENGTHS, "logical", False, "shift wavelengths to the Sun's rest frame (always recorded)", _OBJECT
    ),
    Parameter(
        "WAVE_START", WAVELENGTHS, "real", 0.0, "first wavelength of the spectra; 0 takes it from the arc",
        _FIBRES, low=0, high=1200, unit="nm",
    ),
    Parameter(
        "WAVE_END", WAVELENGTHS, "real", 0.0, "last wavelength of the spectra; 0 takes it from the arc",
        _FIBRES, low=0, high=1200, unit="nm",
    ),
    Parameter(
        "ARCFITORDER", WAVELENGTHS, "integer", 0, "degree of the arc fit; 0 finds it from the lines", _ARC,
        low=0, high=8,
    ),
    Parameter(
        "BSSMOOTH", FLAT, "choice", "AUTO", "smooth the flat along the spectrum (AUTO: where it loses nothing)",
        _FLAT, ("AUTO", "1", "0"), frozenset({"AUTO"}),
    ),
    Parameter(
        "FLUXWT", COMBINING, "choice", "FRAMES", "relative flux of exposures: one each, per object, or equal",
        _COMBINE, ("FRAMES", "OBJECT", "NONE"),
    ),
    Parameter(
        "CSIGREJ", COMBINING, "real", 5.0,
        "cosmic rays lie so many sigma above the other exposures; 0 keeps all", _COMBINE, low=0, high=100, unit="σ",
    ),
    Parameter("COMBNAME", COMBINING, "logical", True, "match objects by name (else by fibre)", _COMBINE),
    Parameter(
        "FITOVERSCAN", IMAGE, "choice", "SPLINE", "how the overscan is fitted along the rows", _IMAGES,
        ("SPLINE", "FIT", "POLYEXP"), frozenset({"SPLINE"}),
    ),
)  # fmt: skip

BY_NAME: Final[Mapping[str, Parameter]] = {item.name: item for item in PARAMETERS}
GROUPS: Final = tuple(dict.fromkeys(item.group for item in PARAMETERS))

_RANGES: Final = (("WAVE_START", "WAVE_END"), ("SKYLAM_START", "SKYLAM_END"), ("PCALMIN", "PCALMAX"))


def read_values(
    given: Mapping[str, object],
    gratings: Collection[str] = (),
    *,
    builtin: bool = True,
    site: Mapping[str, ParameterValue] | None = None,
) -> dict[str, ParameterValue]:
    """Values that somebody gave, checked; without those that are the default for all gratings.

    So the same wish always has the same form, however it was written.

    Parameters
    ----------
    given
        By name, in any case; empty texts count as not given.
    gratings
        Of the frames concerned.
    builtin
        Whether the built-in reducer works. Defaults of others are not ours to know: all values are kept.
    site
        Values that the site sets for every reduction: they are the default then.

    Raises
    ------
    ParameterError
        For the first that cannot be used.
    """
    if len(given) > len(PARAMETERS):
        raise ParameterError("parameters", f"there are only {len(PARAMETERS)} parameters")
    values: dict[str, ParameterValue] = {}
    for name, value in given.items():
        parameter = BY_NAME.get(name.strip().upper())
        if parameter is None:
            raise ParameterError(name, "there is no such parameter")
        if parameter.name in values:
            raise ParameterError(name, "given more than once")
        if isinstance(value, str) and not value.strip():
            continue
        read = parameter.read(value)
        if not builtin and read in parameter.own_choices:
            raise ParameterError(name, f"{read} is known to the built-in reducer alone")
        values[parameter.name] = read
    _check_ranges(values)
    usual = {name.upper(): value for name, value in (site or {}).items()}
    return {
        name: value
        for name, value in sorted(values.items())
        if not _is_default(BY_NAME[name], value, gratings, builtin, usual)
    }


def _is_default(
    parameter: Parameter,
    value: ParameterValue,
    gratings: Collection[str],
    builtin: bool,
    site: Mapping[str, ParameterValue],
) -> bool:
    if parameter.name in site:
        try:
            return parameter.read(site[parameter.name]) == value
        except ParameterError:
            return False
    if not builtin:
        return False
    defaults = [parameter.default_for(grating) for grating in gratings] or [parameter.default]
    return all(value == default for default in defaults)


def _check_ranges(values: Mapping[str, ParameterValue]) -> None:
    for first, last in _RANGES:
        start = float(values.get(first, BY_NAME[first].default))
        end = float(values.get(last, BY_NAME[last].default))
        if end and start >= end:
            raise ParameterError(last, f"must lie beyond {first}")


def by_kind(
    values: Mapping[str, ParameterValue],
) -> tuple[tuple[ReductionKind, tuple[tuple[str, ParameterValue], ...]], ...]:
    """Values for each kind of reduction that they concern, as `paws.matching.policy.MatchPolicy` wants them."""
    found = []
    for kind in ReductionKind:
        own = tuple(sorted((name, value) for name, value in values.items() if kind in BY_NAME[name].concerns))
        if own:
            found.append((kind, own))
    return tuple(found)


def in_words(value: ParameterValue) -> str:
    """A value for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def default_words(parameter: Parameter, gratings: Iterable[str]) -> str:
    """Default for some gratings, for people; each where they differ."""
    found = {grating: in_words(parameter.default_for(grating)) for grating in sorted(set(gratings))}
    if len(set(found.values())) <= 1:
        return next(iter(found.values()), in_words(parameter.default))
    return ", ".join(f"{word} ({grating})" for grating, word in found.items())
