"""What a disturbed night lost, doubled or left, against an undisturbed one. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from paws.chaos.products import Product
from paws.chaos.strikes import Strike


@dataclass(frozen=True)
class Verdict:
    """What became of a night; empty lists all through are what must be.

    Attributes
    ----------
    lost
        Products of the undisturbed night that are not there.
    foreign
        Products that the undisturbed night does not have.
    changed
        Products with other values than the undisturbed night's.
    duplicated
        Slots with more than one current product of a kind.
    broken
        Products that are half-written or missing on disk.
    unsettled
        Frames that are in no final state, or failed.
    left
        Files, folders, processes and leases that nobody owns.
    """

    lost: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    duplicated: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    unsettled: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether the night is as if nothing had happened."""
        return not any(asdict(self).values())

    @property
    def losses(self) -> int:
        """Products that the observer does not have as they should be."""
        return len(self.lost) + len(self.changed) + len(self.broken)

    @property
    def doubles(self) -> int:
        """Products that are there more than once."""
        return len(self.duplicated) + len(self.foreign)

    def problems(self) -> list[str]:
        """Every finding as a line."""
        return [f"{name}: {item}" for name, items in asdict(self).items() for item in items]


def judge(
    reference: Sequence[Product],
    found: Sequence[Product],
    *,
    broken: Iterable[str] = (),
    unsettled: Iterable[str] = (),
    left: Iterable[str] = (),
) -> Verdict:
    """Compare the products of a night with those of an undisturbed night of the same frames."""

    def key(product: Product) -> tuple[str, str, str]:
        return product.path, product.kind, product.job_key

    wanted = {key(product): product for product in reference}
    made = {key(product): product for product in found}
    counts = Counter((product.slot, product.kind) for product in found)
    twice = [f"{slot} {kind}: {number} times" for (slot, kind), number in counts.items() if number > 1]
    # The files of one path are one file: two rows that show it are two versions of one thing.
    paths = Counter(product.path for product in found)
    twice += [f"{path}: {number} rows" for path, number in paths.items() if number > 1]
    return Verdict(
        lost=tuple(sorted(" ".join(item) for item in wanted.keys() - made.keys())),
        foreign=tuple(sorted(" ".join(item) for item in made.keys() - wanted.keys())),
        changed=tuple(
            sorted(
                product.path
                for item, product in made.items()
                if item in wanted and product.content and wanted[item].content != product.content
            )
        ),
        duplicated=tuple(sorted(twice)),
        broken=tuple(broken),
        unsettled=tuple(unsettled),
        left=tuple(left),
    )


@dataclass(frozen=True)
class Line:
    """A line of the table: a kind of disturbance over all nights.

    Attributes
    ----------
    lost, duplicated
        Products, over the nights in which this kind was done. A night's loss is charged to every kind of
        that night: which one did it cannot be told.
    recovery_median, recovery_longest
        Seconds; None where none recovered.
    unrecovered
        How many did not recover while they were watched.
    unseen
        How many the status feed does not tell of.
    """

    kind: str
    done: int
    lost: int
    duplicated: int
    recovery_median: float | None
    recovery_longest: float | None
    unrecovered: int
    unseen: int

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def tabulate(nights: Iterable[tuple[Sequence[Strike], Verdict]]) -> list[Line]:
    """The table of a campaign, by kind of disturbance."""
    strikes: dict[str, list[Strike]] = {}
    losses: Counter[str] = Counter()
    doubles: Counter[str] = Counter()
    for done, verdict in nights:
        for label in {strike.fault.label for strike in done}:
            losses[label] += verdict.losses
            doubles[label] += verdict.doubles
        for strike in done:
            strikes.setdefault(strike.fault.label, []).append(strike)
    lines: list[Line] = []
    for label in sorted(strikes):
        times = sorted(strike.recovery for strike in strikes[label] if strike.recovery is not None)
        lines.append(
            Line(
                kind=label,
                done=len(strikes[label]),
                lost=losses[label],
                duplicated=doubles[label],
                recovery_median=times[len(times) // 2] if times else None,
                recovery_longest=times[-1] if times else None,
                unrecovered=sum(strike.recovery is None for strike in strikes[label]),
                unseen=sum(not strike.visible for strike in strikes[label]),
            )
        )
    return lines
