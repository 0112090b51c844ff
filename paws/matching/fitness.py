"""Which frames can serve at all, and which of several flats is the best exposed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from paws.matching.sighting import Sighting
from schemas.frames import Frame
from schemas.vocabulary import FrameClass

SATURATION_REFUSED = 0.20
"""Part of saturated pixels above which a calibration frame is refused."""
SATURATION_BAD = 0.05
SATURATION_GOOD = 0.01
WEAK = 1000.0
"""Brightness (98th percentile above the overscan level, ADU) under which a fibre flat is weak."""
ALIKE = 0.8
"""Flats of one grade whose brightness is at least this part of the brightest one's are equally good."""
LONGEST_BIAS = 0.1
"""Exposure time (s) above which a frame is no bias."""


def unfit(frame: Frame) -> str | None:
    """Why a calibration frame cannot serve, or None. Science frames are never refused."""
    if frame.frame_class.is_science:
        return None
    if frame.frame_class is FrameClass.BIAS and frame.exposed > LONGEST_BIAS:
        return f"a bias is not exposed, this frame was for {frame.exposed:g} s"
    saturated = frame.exposure.saturated_fraction if frame.exposure else 0.0
    if saturated > SATURATION_REFUSED:
        return (
            f"{saturated:.0%} of the pixels are saturated, more than the {SATURATION_REFUSED:.0%} allowed; "
            "a shorter exposure is needed"
        )
    return None


@dataclass(frozen=True, slots=True)
class RankedFlat:
    """A fibre flat with its rank in its field: flats of rank 0 are the best, and equally good."""

    sighting: Sighting
    rank: int
    reason: str


def rank_flats(flats: Iterable[Sighting]) -> tuple[RankedFlat, ...]:
    """Fibre flats of one field and arm, best first, each with the reason for its rank."""
    rest = sorted(flats, key=lambda flat: (_grade(flat.frame), -_brightness(flat.frame), *_order(flat.frame)))
    ranked: list[RankedFlat] = []
    rank = -1
    leader: Frame | None = None
    for flat in rest:
        frame = flat.frame
        if leader is None or not _alike(leader, frame):
            leader = frame
            rank += 1
        better = ranked[0].sighting.frame if rank else None
        ranked.append(RankedFlat(flat, rank, _reason(frame, better)))
    return tuple(ranked)


def _grade(frame: Frame) -> int:
    """0 well exposed, 1 slightly saturated, 2 weak or unmeasured, 3 badly saturated."""
    saturated = frame.exposure.saturated_fraction if frame.exposure else 0.0
    if saturated >= SATURATION_BAD:
        return 3
    if _brightness(frame) < WEAK:
        return 2
    return 0 if saturated < SATURATION_GOOD else 1


def _brightness(frame: Frame) -> float:
    return frame.exposure.bright if frame.exposure else 0.0


def _alike(leader: Frame, frame: Frame) -> bool:
    return _grade(leader) == _grade(frame) and _brightness(frame) >= ALIKE * _brightness(leader)


def _order(frame: Frame) -> tuple[int, str]:
    return frame.run, frame.frame_id


def _reason(frame: Frame, better: Frame | None) -> str:
    mine = exposure_text(frame)
    if better is None:
        return mine
    return f"{better.stem} is better exposed ({exposure_text(better)}) than this flat ({mine})"


def exposure_text(frame: Frame) -> str:
    """How a frame is exposed, in words."""
    if frame.exposure is None:
        return "exposure not measured"
    saturated = frame.exposure.saturated_fraction
    return f"{frame.exposure.bright:.0f} ADU in the fibres" + (
        f", {saturated:.1%} of the pixels saturated" if saturated >= 0.001 else ", not saturated"
    )
