"""The whole comparison: pairs of products, what only one side has, failures, time, limits exceeded. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from agents.compare.figures import Pair
from agents.compare.limits import Breach, LimitSet, breaches, breaches_of_whole
from agents.compare.sides import Side
from agents.offline.done import Done
from schemas.vocabulary import ProductKind

SCHEMA = "paws-compare-1"


class Match(NamedTuple):
    """A product that both sides have."""

    kind: ProductKind
    path: str


@dataclass(frozen=True)
class Matches:
    """Products by where they are: on both sides, or on one only."""

    both: tuple[Match, ...]
    only_a: tuple[Match, ...]
    only_b: tuple[Match, ...]


def match_products(a: Iterable[Done], b: Iterable[Done], *, earlier_a: bool, earlier_b: bool) -> Matches:
    """Pair products by their place in the tree.

    Parameters
    ----------
    earlier_a, earlier_b
        Whether that side was reduced earlier: it may then hold much that was not asked for now, which is
        passed over.
    """
    left, right = _products(a), _products(b)
    both = tuple(sorted((item for item in left if item in right), key=_by_path))
    only_a = () if earlier_a and not earlier_b else _without(left, right)
    only_b = () if earlier_b and not earlier_a else _without(right, left)
    return Matches(both, only_a, only_b)


@dataclass(frozen=True)
class Report:
    """A comparison of B with A."""

    run: str
    a: Side
    b: Side
    pairs: Sequence[Pair]
    matches: Matches
    limits: LimitSet

    @property
    def worse(self) -> int:
        """Number of reductions and products that only B fails at."""
        failed_a = {item.slot for item in self.a.failures}
        failed_b = {item.slot for item in self.b.failures} - failed_a
        return len(failed_b) + len(self.matches.only_a) + sum(bool(pair.problem) for pair in self.pairs)

    @property
    def engine_seconds(self) -> tuple[float, float]:
        """Time in the engines for what both made."""
        timed = [pair for pair in self.pairs if pair.seconds_a > 0 and pair.seconds_b > 0]
        return sum(pair.seconds_a for pair in timed), sum(pair.seconds_b for pair in timed)

    @property
    def breaches(self) -> list[Breach]:
        """Limits that are exceeded."""
        return [
            *breaches_of_whole(self.limits, self.worse, self.engine_seconds),
            *breaches(self.pairs, self.limits),
        ]

    @property
    def exit_status(self) -> int:
        """0 when all is within the limits; 3 when a limit is exceeded; 1 when nothing could be compared."""
        if not self.pairs:
            return 1
        return 3 if self.breaches else 0

    def as_dict(self) -> dict[str, Any]:
        """The comparison for programs."""
        time_a, time_b = self.engine_seconds
        return {
            "schema": SCHEMA,
            "run": self.run,
            "a": _side(self.a),
            "b": _side(self.b),
            "engine_seconds": {"a": round(time_a, 3), "b": round(time_b, 3)},
            "worse": self.worse,
            "only_a": [item.path for item in self.matches.only_a],
            "only_b": [item.path for item in self.matches.only_b],
            "limits": self.limits.model_dump(mode="json", exclude_none=True),
            "breaches": [item.as_dict() for item in self.breaches],
            "exit_status": self.exit_status,
            "products": [pair.as_dict() for pair in self.pairs],
        }

    def lines(self) -> Iterator[str]:
        """The comparison for people; the last line counts."""
        for side in (self.a, self.b):
            for item in side.failures:
                yield f"{side.name} failed {item.kind.value} {item.slot}: {item.error.splitlines()[0]}"
        for name, items in ((self.a.name, self.matches.only_a), (self.b.name, self.matches.only_b)):
            for match in items:
                yield f"only {name} made {match.path}"
        for pair in self.pairs:
            yield f"{pair.path}: {pair.problem or _summary(pair)}"
        for breach in self.breaches:
            yield f"LIMIT {breach.sentence}"
        time_a, time_b = self.engine_seconds
        yield (
            f"{len(self.pairs)} products compared, {self.worse} only {self.b.name} fails at, "
            f"{len(self.breaches)} limits exceeded; engine time {time_a:.1f} s ({self.a.name}), "
            f"{time_b:.1f} s ({self.b.name})"
        )


def _summary(pair: Pair) -> str:
    figures = pair.figures
    parts = []
    if "flux_ratio" in figures:
        parts.append(f"flux x{figures['flux_ratio']:.4f} (95% within {figures['flux_ratio_most']:.2%})")
    if "shift" in figures:
        unit = "A" if pair.shift_unit == "Angstrom" else "pixel"
        parts.append(f"shift {figures['shift']:+.4f} {unit}")
    if "noise_ratio" in figures:
        parts.append(f"noise x{figures['noise_ratio']:.3f}")
    if "sn_ratio" in figures:
        parts.append(f"S/N x{figures['sn_ratio']:.3f}")
    if pair.lost:
        parts.append(f"{len(pair.lost)} fibres lost")
    return ", ".join(parts) or "nothing to measure"


def _side(side: Side) -> dict[str, Any]:
    return {
        "engine": side.name,
        "version": side.version,
        "products": str(Path(side.out)),
        "seconds": round(side.seconds, 2),
        "reductions": len(side.done),
        "failures": [
            {"kind": item.kind.value, "slot": item.slot, "reason": item.error, "log": item.log}
            for item in side.failures
        ],
        "not_reduced": [{"frame": name, "reason": reason} for name, reason in side.left],
    }


def _products(done: Iterable[Done]) -> set[Match]:
    return {Match(product.kind, product.path) for item in done for product in item.products}


def _without(one: set[Match], other: set[Match]) -> tuple[Match, ...]:
    return tuple(sorted(one - other, key=_by_path))


def _by_path(match: Match) -> tuple[str, str]:
    return match.path, match.kind.value
