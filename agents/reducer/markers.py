"""What a line of ``aaorun`` tells about how far a reduction has come. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

EXIT_MARKER = re.compile(r'Action\s+"EXIT",\s+Task\s+"?\S+?"?,\s+completed')
"""Printed last, and only by a command that ended in order."""


@dataclass(frozen=True)
class Stage:
    """A stage of a reduction.

    Attributes
    ----------
    name
        For people.
    progress
        Part of the work that is behind us when the stage shows, 0 to 1. A rough figure for a bar.
    """

    name: str
    progress: float


# The first that matches decides. Progress never falls: lines of a later pass repeat earlier ones.
_MARKERS: tuple[tuple[re.Pattern[str], Stage], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), stage)
    for pattern, stage in (
        (EXIT_MARKER.pattern, Stage("done", 1.0)),
        (r'Action\s+"[^"]+",\s+Task\s+\S+\s+completed', Stage("writing", 0.95)),
        (r"Data Reduction command .* completed", Stage("writing", 0.95)),
        (r"splic", Stage("splicing", 0.5)),
        (r"combin", Stage("combining", 0.5)),
        (r"sky[- ]?subtract|subtracting sky", Stage("sky subtraction", 0.85)),
        (r"throughput", Stage("throughput", 0.75)),
        (r"flat[- ]?field(ing|ed)|dividing by .*flat", Stage("fibre flat", 0.65)),
        (r"CENWAVE|wavelength calibrat|arc line|scrunch", Stage("wavelengths", 0.55)),
        (r"tramline map|Number of traces|strong traces|tramline width", Stage("tramlines", 0.35)),
        (r"extract", Stage("extraction", 0.45)),
        (r"Image data frame", Stage("image", 0.25)),
        (r"cosmic ray", Stage("cosmic rays", 0.2)),
        (r"Debiasing|bias frame|overscan|Bad Pixel Mask|dark frame", Stage("detector", 0.1)),
        (r"RAW file\s*=|Executing 2DFdr Command", Stage("reading", 0.03)),
        (r"^Waiting for Docker", Stage("waiting for Docker", 0.01)),
    )
)


def stage_of(line: str) -> Stage | None:
    """Stage that a line stands for, or None when it tells nothing."""
    for pattern, stage in _MARKERS:
        if pattern.search(line):
            return stage
    return None


def advance(present: Stage | None, line: str) -> Stage | None:
    """Stage after a line: a later one than the present one, or the present one."""
    found = stage_of(line)
    if found is None or (present is not None and found.progress <= present.progress):
        return present
    return found


def is_exit_marker(line: str) -> bool:
    """Whether a line is the marker of an orderly end."""
    return EXIT_MARKER.search(line) is not None
