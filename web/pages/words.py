"""Words for people: what states, classes, levels and roles are called on the pages.

The live page hands the same words to its JavaScript, so that there is one place for them.
"""

from __future__ import annotations

from typing import Any, Final

from schemas.vocabulary import CalibrationLevel, FrameClass, FrameState, ProductKind, ReductionKind

STATES: Final[dict[str, tuple[str, str]]] = {
    FrameState.ARRIVED: ("arrived", "complete and accepted; not planned yet"),
    FrameState.WAITING: ("waiting", "waits for calibrations"),
    FrameState.QUEUED: ("queued", "its reduction waits for a free runner"),
    FrameState.RUNNING: ("reducing", "its reduction is at work"),
    FrameState.REDUCED: ("reduced", "its product is stored"),
    FrameState.SET_ASIDE: ("set aside", "not needed: another frame serves better"),
    FrameState.FAILED: ("failed", "could not be reduced"),
    FrameState.REJECTED: ("rejected", "the file cannot be used"),
    FrameState.JUNKED: ("junked", "a person declared it unusable"),
}

STATES_WORDS: Final[dict[str, str]] = {state: word for state, (word, _meaning) in STATES.items()}

CLASSES: Final[dict[str, str]] = {
    FrameClass.BIAS: "bias",
    FrameClass.DARK: "dark",
    FrameClass.LFLAT: "long-slit flat",
    FrameClass.MFFFF: "fibre flat",
    FrameClass.MFARC: "arc",
    FrameClass.MFSKY: "sky",
    FrameClass.MFOBJECT: "object",
    FrameClass.MFFLX: "flux standard",
}

KINDS: Final[dict[str, str]] = {
    ReductionKind.REDUCE_BIAS: "reduce bias",
    ReductionKind.REDUCE_DARK: "reduce dark",
    ReductionKind.REDUCE_LFLAT: "reduce long-slit flat",
    ReductionKind.COMBINE_IMAGE: "combine images",
    ReductionKind.MAKE_TLM: "make tramline map",
    ReductionKind.REDUCE_ARC: "reduce arc",
    ReductionKind.REDUCE_FFLAT: "reduce fibre flat",
    ReductionKind.REDUCE_SKY: "reduce sky",
    ReductionKind.REDUCE_OBJECT: "reduce object",
    ReductionKind.COMBINE_SPECTRA: "combine spectra",
    ReductionKind.SPLICE: "splice arms",
}

PRODUCTS: Final[dict[str, str]] = {
    ProductKind.BIAS: "bias",
    ProductKind.DARK: "dark",
    ProductKind.LFLAT: "long-slit flat",
    ProductKind.COMBINED_BIAS: "combined bias",
    ProductKind.COMBINED_DARK: "combined dark",
    ProductKind.COMBINED_LFLAT: "combined long-slit flat",
    ProductKind.TLM: "tramline map",
    ProductKind.ARC: "arc",
    ProductKind.FFLAT: "fibre flat",
    ProductKind.SKY: "sky",
    ProductKind.OBJECT: "object",
    ProductKind.COMBINED: "combined",
    ProductKind.SPLICED: "spliced",
    ProductKind.SPLICED_COMBINED: "spliced and combined",
}

FIBRE_TYPES: Final[dict[str, str]] = {
    "P": "target",
    "S": "sky",
    "F": "guide",
    "U": "parked",
    "N": "broken",
    "D": "broken",
}

LEVELS: Final[dict[int, tuple[str, str]]] = {
    int(level): (level.label, level.meaning) for level in CalibrationLevel
}

SATURATED: Final = 0.01
"""Saturated part of a frame from which on the page warns."""


def for_script() -> dict[str, Any]:
    """The words that the live page's JavaScript needs."""
    return {
        "states": {
            str(state): {"word": word, "meaning": meaning} for state, (word, meaning) in STATES.items()
        },
        "classes": {str(name): word for name, word in CLASSES.items()},
        "levels": {
            str(level): {"label": label, "meaning": meaning} for level, (label, meaning) in LEVELS.items()
        },
        "products": {str(kind): word for kind, word in PRODUCTS.items()},
        "saturated": SATURATED,
    }


def word(words: dict[str, str], value: str | None) -> str:
    """Word of a value; a value that has none is shown as it is."""
    return words.get(value or "", (value or "").replace("_", " "))
