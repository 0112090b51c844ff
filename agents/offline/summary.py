"""What became of a night, for people and for programs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agents.offline.agenda import Ending, FrameOutcome
from agents.offline.scan import Rejected
from schemas.vocabulary import FrameState


@dataclass(frozen=True)
class NightSummary:
    """What became of the frames of a folder.

    Attributes
    ----------
    failures
        Reductions that failed in this run.
    made
        Number of reductions that succeeded in this run; the others were done before.
    products
        Number of product files that belong to these frames.
    seconds
        Wall-clock time of the run.
    wanted
        Keys of the reductions that these frames want.
    """

    outcomes: Sequence[FrameOutcome]
    rejected: Sequence[Rejected]
    not_ours: int
    failures: Sequence[Ending]
    made: int
    products: int
    seconds: float
    wanted: frozenset[str] = frozenset()

    def count(self, state: FrameState) -> int:
        """Number of frames in a state."""
        return Counter(item.state for item in self.outcomes)[state]

    @property
    def exit_status(self) -> int:
        """0 when there was something to reduce, and nothing failed or waits."""
        bad = self.count(FrameState.FAILED) + self.count(FrameState.WAITING) + len(self.failures)
        return 0 if self.outcomes and not bad else 1

    def as_dict(self) -> dict[str, Any]:
        """The summary for programs."""
        return {
            "frames": len(self.outcomes),
            "reduced": self.count(FrameState.REDUCED),
            "set_aside": self.count(FrameState.SET_ASIDE),
            "failed": self.count(FrameState.FAILED),
            "waiting": self.count(FrameState.WAITING),
            "rejected": len(self.rejected),
            "not_ours": self.not_ours,
            "products": self.products,
            "reductions_made": self.made,
            "reductions_failed": len(self.failures),
            "seconds": round(self.seconds, 2),
            "rejections": [
                {"path": item.path, "code": item.code, "reason": item.reason} for item in self.rejected
            ],
            "not_reduced": [
                {"frame": item.frame.name, "state": item.state.value, "reason": item.reason}
                for item in self._not_reduced()
            ],
            "failures": [
                {"kind": item.kind.value, "slot": item.slot, "reason": item.error, "log": item.log}
                for item in self.failures
            ],
        }

    def lines(self) -> Iterator[str]:
        """The summary for people; the last line counts."""
        for item in self.rejected:
            yield f"rejected {item.path} ({item.code}): {item.reason}"
        for outcome in self._not_reduced():
            state = outcome.state.value.replace("_", " ")
            yield f"{state} {outcome.frame.name}: {outcome.reason.splitlines()[0]}"
        for ending in self.failures:
            yield f"failed {ending.kind.value} {ending.slot}: {ending.error}"
        if not self.outcomes:
            yield "There is no raw frame to reduce."
        yield (
            f"{len(self.outcomes)} frames: {self.count(FrameState.REDUCED)} reduced, "
            f"{self.count(FrameState.SET_ASIDE)} set aside, {self.count(FrameState.FAILED)} failed, "
            f"{self.count(FrameState.WAITING)} waiting; {len(self.rejected)} files rejected; "
            f"{self.products} products, {self.made} reductions made now, in {self.seconds:.1f} s"
        )

    def _not_reduced(self) -> Iterator[FrameOutcome]:
        return (item for item in self.outcomes if item.state is not FrameState.REDUCED)
