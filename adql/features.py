"""The optional features of ADQL 2.1 that this service has, as its capabilities declare them (TAPRegExt)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from adql.backend import Backend
from adql.function import CONDITIONAL, GEO, STRINGS, UDF
from adql.functions import FUNCTIONS

_PREFIX: Final = "ivo://ivoa.net/std/TAPRegExt#features-"
_OF_THE_GRAMMAR: Final = {
    STRINGS: ("ILIKE",),
    f"{_PREFIX}adql-common-table": ("WITH",),
    f"{_PREFIX}adql-sets": ("UNION", "EXCEPT", "INTERSECT"),
    f"{_PREFIX}adql-type": ("CAST",),
    f"{_PREFIX}adql-unit": ("IN_UNIT",),
    f"{_PREFIX}adql-offset": ("OFFSET",),
}
"""Features that are no functions of `adql.functions`."""
_KINDS: Final = (UDF, GEO, STRINGS, CONDITIONAL)


@dataclass(frozen=True, slots=True)
class Feature:
    """An optional feature: how it is written, and what it does."""

    form: str
    description: str = ""


def features(backend: Backend) -> dict[str, tuple[Feature, ...]]:
    """Features by the identifier of their kind.

    Both back ends have all of them: they differ in how an index finds candidates, and nothing else.
    """
    found: dict[str, list[Feature]] = {kind: [] for kind in _KINDS}
    for function in FUNCTIONS.values():
        if function.feature is not None:
            found[function.feature].append(Feature(function.form or function.name, function.description))
    for kind, forms in _OF_THE_GRAMMAR.items():
        found.setdefault(kind, []).extend(Feature(form) for form in forms)
    return {kind: tuple(forms) for kind, forms in found.items()}
