"""The matrix of a night: each frame, and how far it is through the stages. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from schemas.vocabulary import FrameClass, FrameState, ProductKind
from web.night.fields import Row

STAGES: Final = ("arrived", "planned", "queued", "reduced", "combined", "spliced")
_STAGE_OF_KIND: Final = {
    ProductKind.COMBINED: "combined",
    ProductKind.COMBINED_BIAS: "combined",
    ProductKind.COMBINED_DARK: "combined",
    ProductKind.COMBINED_LFLAT: "combined",
    ProductKind.SPLICED: "spliced",
    ProductKind.SPLICED_COMBINED: "spliced",
}
_COMBINED_CLASSES: Final = (
    FrameClass.MFOBJECT,
    FrameClass.MFFLX,
    FrameClass.BIAS,
    FrameClass.DARK,
    FrameClass.LFLAT,
)


@dataclass(frozen=True)
class Cell:
    """A stage of a frame: ``done``, ``now``, ``wait``, ``bad``, ``none`` (does not concern it) or ``open``."""

    stage: str
    mark: str
    words: str
    at: datetime | None = None
    product_id: str = ""


@dataclass(frozen=True)
class MatrixRow:
    """A frame.

    Attributes
    ----------
    age
        Seconds since anything happened to it.
    """

    frame: Row
    cells: tuple[Cell, ...]
    version: int | None
    age: float


def matrix(frames: Iterable[Row], products: Sequence[Row], now: datetime) -> list[MatrixRow]:
    """Rows of the matrix, in the order of runs."""
    own: dict[str, Row] = {}
    later: dict[tuple[str, str], Row] = {}
    for product in products:
        stage = _STAGE_OF_KIND.get(ProductKind(product["kind"]))
        if stage is None and (product["job_key"] not in own or product["kind"] != ProductKind.TLM):
            own[product["job_key"]] = product
        if stage is not None:
            later |= {(frame_id, stage): product for frame_id in product["frame_ids"]}
    return [_row(frame, own.get(frame["job_key"] or ""), later, now) for frame in frames]


def _row(frame: Row, own: Row | None, later: dict[tuple[str, str], Row], now: datetime) -> MatrixRow:
    state = FrameState(frame["state"])
    products = [later.get((frame["frame_id"], stage)) for stage in ("combined", "spliced")]
    times = [
        frame["arrived_at"],
        frame["planned_at"],
        frame["started_at"],
        frame["finished_at"],
        *(product["created_at"] for product in (own, *products) if product is not None),
    ]
    newest = max((moment for moment in times if moment is not None), default=now)
    cells = (
        Cell("arrived", "done", "complete and accepted", frame["arrived_at"]),
        _planned(frame, state),
        _queued(frame, state),
        _reduced(frame, state, own),
        *(
            _joined(frame, state, stage, product)
            for stage, product in zip(("combined", "spliced"), products, strict=True)
        ),
    )
    return MatrixRow(frame, cells, own["version"] if own else None, max((now - newest).total_seconds(), 0.0))


def _planned(frame: Row, state: FrameState) -> Cell:
    words = frame["reason"] or ""
    mark = {
        FrameState.ARRIVED: "open",
        FrameState.WAITING: "wait",
        FrameState.SET_ASIDE: "none",
        FrameState.JUNKED: "none",
    }.get(state, "done")
    if state is FrameState.FAILED and not frame["job_key"]:
        mark = "bad"
    return Cell("planned", mark, words or "planned", frame["planned_at"])


def _queued(frame: Row, state: FrameState) -> Cell:
    if state is FrameState.QUEUED:
        return Cell("queued", "now", "waits for a free runner")
    if frame["started_at"] is not None and state not in (FrameState.JUNKED, FrameState.SET_ASIDE):
        return Cell("queued", "done", "taken by a runner", frame["started_at"])
    return Cell("queued", _before(state), "")


def _reduced(frame: Row, state: FrameState, own: Row | None) -> Cell:
    product_id = own["product_id"] if own else ""
    if state is FrameState.RUNNING:
        words = (frame["stage"] or "at work").replace("_", " ")
        part = frame["progress"]
        return Cell(
            "reduced", "now", f"{words}{f', {part:.0%}' if part is not None else ''}", None, product_id
        )
    if state is FrameState.REDUCED:
        return Cell("reduced", "done", "reduced", frame["finished_at"], product_id)
    if state is FrameState.FAILED:
        return Cell("reduced", "bad", frame["reason"] or "failed", frame["finished_at"], product_id)
    return Cell("reduced", _before(state), "", None, product_id)


def _joined(frame: Row, state: FrameState, stage: str, product: Row | None) -> Cell:
    if product is not None and state is not FrameState.JUNKED:
        words = f"version {product['version']}"
        return Cell(stage, "done", words, product["created_at"], product["product_id"])
    kind = FrameClass(frame["frame_class"])
    concerns = kind in _COMBINED_CLASSES if stage == "combined" else kind.is_science
    return Cell(stage, _before(state) if concerns else "none", "")


def _before(state: FrameState) -> str:
    return "none" if state in (FrameState.JUNKED, FrameState.SET_ASIDE) else "open"


def age_words(seconds: float) -> str:
    """An age for people."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} d"
