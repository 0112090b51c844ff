"""From a reduction to the ``aaorun`` command that carries it out. Pure.

The forms are those that 2dFdr users write; see the reference of the command in the documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from paws.errors import InvalidInputError
from schemas.layout import safe_component
from schemas.reductions import ParameterValue, Reduction
from schemas.vocabulary import CalibrationRole, ProductKind, ReductionKind

_FILE_PARAMETER = {
    CalibrationRole.BIAS: "BIAS_FILENAME",
    CalibrationRole.DARK: "DARK_FILENAME",
    CalibrationRole.LFLAT: "LFLAT_FILENAME",
    CalibrationRole.TLM: "TLMAP_FILENAME",
    CalibrationRole.ARC: "WAVEL_FILENAME",
    CalibrationRole.FFLAT: "FFLAT_FILENAME",
    CalibrationRole.THPUT: "THPUT_FILENAME",
}
_SWITCH = {
    CalibrationRole.BIAS: "USEBIASIM",
    CalibrationRole.DARK: "USEDARKIM",
    CalibrationRole.LFLAT: "USEFLATIM",
    CalibrationRole.FFLAT: "USEFFLAT",
}
_IMAGE_ROLES = (CalibrationRole.BIAS, CalibrationRole.DARK, CalibrationRole.LFLAT)
_ROLES = {
    ReductionKind.REDUCE_BIAS: (),
    ReductionKind.REDUCE_DARK: (CalibrationRole.BIAS,),
    ReductionKind.REDUCE_LFLAT: (CalibrationRole.BIAS, CalibrationRole.DARK),
    ReductionKind.MAKE_TLM: _IMAGE_ROLES,
    ReductionKind.REDUCE_ARC: (*_IMAGE_ROLES, CalibrationRole.TLM),
    ReductionKind.REDUCE_FFLAT: (*_IMAGE_ROLES, CalibrationRole.TLM, CalibrationRole.ARC),
    ReductionKind.REDUCE_SKY: (
        *_IMAGE_ROLES,
        CalibrationRole.TLM,
        CalibrationRole.ARC,
        CalibrationRole.FFLAT,
    ),
    ReductionKind.REDUCE_OBJECT: (
        *_IMAGE_ROLES,
        CalibrationRole.TLM,
        CalibrationRole.ARC,
        CalibrationRole.FFLAT,
        CalibrationRole.THPUT,
    ),
    ReductionKind.COMBINE_IMAGE: (),
    ReductionKind.COMBINE_SPECTRA: (),
    ReductionKind.SPLICE: (),
}
_COMBINES = (ReductionKind.COMBINE_IMAGE, ReductionKind.COMBINE_SPECTRA, ReductionKind.SPLICE)

_PARAMETER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
# What the command line itself decides: a parameter set must not send files elsewhere.
_RESERVED = frozenset(
    {
        "IDXFILE",
        "WDIR",
        "OUT_DIRNAME",
        "COMBINEDFILE",
        "OUTPUT_FILE",
        "DO_TLMAP",
        "TASKNAME",
        "COMPLETE",
        "ERROR",
    }
    | set(_SWITCH.values())
)


@dataclass(frozen=True)
class WorkFiles:
    """Names of the files in a work folder, as the command speaks of them.

    Attributes
    ----------
    frames
        Raw frames, in the reduction's order.
    inputs
        Products that are read as such, in the reduction's order.
    calibrations
        Calibration products by role.
    """

    frames: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    calibrations: Mapping[CalibrationRole, str] = field(default_factory=dict)


def command_line(reduction: Reduction, files: WorkFiles) -> list[str]:
    """Arguments of ``aaorun``: the verb, the files, the calibrations, the parameters.

    Raises
    ------
    InvalidInputError
        If the reduction does not hold what its kind needs, or a parameter may not be given.
    """
    _refuse_incomplete(reduction, files)
    if reduction.kind in _COMBINES:
        # Several files travel as one argument, as 2dFdr wants it.
        command = [reduction.kind.value, " ".join(files.inputs)]
        output = "output_file" if reduction.kind is ReductionKind.SPLICE else "COMBINEDFILE"
        command += [f"-{output}", output_name(reduction, reduction.products[0], files)]
    else:
        command = [reduction.kind.value, files.frames[0]]
        for role in _ROLES[reduction.kind]:
            command += _calibration_arguments(role, files.calibrations.get(role))
        if reduction.kind is ReductionKind.REDUCE_FFLAT:
            # The tramline map exists; 2dFdr would make it again.
            command += ["-DO_TLMAP", "0"]
    return command + _parameter_arguments(reduction.parameters)


def output_name(reduction: Reduction, kind: ProductKind, files: WorkFiles) -> str:
    """Name of the file that the command writes for a kind of product."""
    if reduction.kind not in _COMBINES:
        stem = PurePosixPath(files.frames[0]).stem
        return f"{stem}{'tlm' if kind is ProductKind.TLM else 'red'}.fits"
    layout = reduction.layout
    if reduction.kind is ReductionKind.COMBINE_IMAGE:
        what = kind.value.removeprefix("combined_").upper()
        return f"{what}combined{safe_component(layout.label) if layout.label else ''}.fits"
    field_name = safe_component(layout.field)
    if reduction.kind is ReductionKind.COMBINE_SPECTRA:
        ccd = f"_ccd{layout.arm.ccd}" if layout.arm is not None else ""
        return f"{field_name}{ccd}_combined.fits"
    exposure = f"_run{layout.run:04d}" if layout.run is not None else "_combined"
    return f"{field_name}{exposure}_spliced.fits"


def plain_names(wanted: Sequence[str]) -> list[str]:
    """Names for files in one folder: as wanted, and different from each other."""
    taken: set[str] = set()
    names: list[str] = []
    for name in wanted:
        candidate, number = name, 2
        while candidate in taken:
            candidate, number = f"n{number}_{name}", number + 1
        taken.add(candidate)
        names.append(candidate)
    return names


def _calibration_arguments(role: CalibrationRole, name: str | None) -> list[str]:
    arguments: list[str] = []
    if role in _SWITCH:
        arguments += [f"-{_SWITCH[role]}", "0" if name is None else "1"]
    if name is not None:
        arguments += [f"-{_FILE_PARAMETER[role]}", name]
    return arguments


def _parameter_arguments(parameters: Mapping[str, ParameterValue]) -> list[str]:
    arguments: list[str] = []
    for name, value in sorted(parameters.items()):
        upper = name.upper()
        if not _PARAMETER_NAME.fullmatch(name):
            raise InvalidInputError(
                f"{name!r} is no parameter name of 2dFdr: letters, digits and underscores only.",
                parameter=name,
            )
        if upper in _RESERVED or upper.endswith("_FILENAME"):
            raise InvalidInputError(
                f"Parameter {upper} is decided by PAWS Live itself. Take it out of the parameter set.",
                parameter=name,
            )
        text = ("1" if value else "0") if isinstance(value, bool) else str(value)
        if not text.isprintable() or len(text) > 500:
            raise InvalidInputError(
                f"The value of parameter {upper} holds characters that cannot be passed on, or is too long.",
                parameter=name,
            )
        arguments += [f"-{upper}", text]
    return arguments


def _refuse_incomplete(reduction: Reduction, files: WorkFiles) -> None:
    kind = reduction.kind
    if not reduction.products:
        raise InvalidInputError(f"The {kind.value} names no product to make.")
    if kind in _COMBINES:
        least = 2 if kind is ReductionKind.SPLICE else 1
        if len(files.inputs) < least:
            raise InvalidInputError(
                f"A {kind.value} reads at least {least} product(s), got {len(files.inputs)}."
            )
        return
    if len(files.frames) != 1:
        raise InvalidInputError(f"A {kind.value} reads exactly one raw frame, got {len(files.frames)}.")
    missing = [role.value for role in _ROLES[kind] if role.mandatory and role not in files.calibrations]
    if missing:
        raise InvalidInputError(
            f"A {kind.value} needs {', '.join(missing)}, which the request does not name."
        )
