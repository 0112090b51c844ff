"""What the pages of a night show, put together once for all who see the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from paws.access.rule import Sight
from paws.clock import from_mjd
from paws.database import Pool
from paws.matching.policy import MatchPolicy
from paws.nightwatch.growth import Goal, goal_in_force
from paws.nightwatch.readiness import ArmReadiness, Readiness, readiness
from paws.nightwatch.sun import Darkness, darkness_of
from paws.nightwatch.thresholds import Threshold
from paws.nightwatch.timeline import present
from paws.settings import Settings
from schemas.frames import Frame
from web.access import hidden_names, names_in, without
from web.night.drawing import Timeline, draw_timeline
from web.night.fields import FieldView, Row, arc_of, fields_of
from web.storage import night as store
from web.storage.night import ProductSpectra

_FRESH: Final = 2.0
"""Seconds that a view serves at least, whatever is announced: many who look on ask at the same moment."""
_LASTS: Final = 20.0
"""Seconds that it serves while nothing is announced: ages and the present go on."""
_LIVE: Final = timedelta(hours=12)
_MOST_VIEWS: Final = 32
_MOST_SPECTRA: Final = 2000

Key = tuple[str, Sight]


@dataclass(frozen=True)
class NightView:
    """A night as somebody may see it.

    Attributes
    ----------
    live
        Whether it goes on; then readiness is told.
    """

    night: str
    frames: Sequence[Row]
    products: Sequence[Row]
    fields: tuple[FieldView, ...]
    timeline: Timeline | None
    darkness: tuple[Darkness, ...]
    readiness: Readiness | None
    live: bool
    at: datetime


class NightDesk:
    """Keeps views of nights for a moment.

    Parameters
    ----------
    settings
        The process's own.
    thresholds
        All that are known.
    newest
        Number of the newest status event: a view that includes it serves longer.
    """

    def __init__(
        self,
        settings: Settings,
        thresholds: Sequence[Threshold],
        newest: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.thresholds = thresholds
        self._settings = settings
        self._policy: MatchPolicy | None = None
        self._newest = newest
        self._clock = clock
        self._kept: dict[Key, tuple[float, int, NightView]] = {}
        self._locks: dict[Key, asyncio.Lock] = {}
        self._spectra: dict[tuple[str, str], ProductSpectra] = {}

    async def view(
        self, pool: Pool, night: str, sight: Sight, now: datetime, *, newest: bool = False
    ) -> NightView:
        """View of a night for somebody; made anew when something was announced since.

        Parameters
        ----------
        newest
            Whether what was just announced must be in it, though that may take a moment: for whoever asks because
            of it, and would not ask again. Others are not kept waiting.

        Raises
        ------
        One of DATABASE_TROUBLES
            If the database does not answer.
        """
        key = night, sight
        async with self._locks.setdefault(key, asyncio.Lock()):
            kept = self._kept.get(key)
            if kept is not None:
                age = self._clock() - kept[0]
                current = kept[1] == self._newest()
                if (age <= _LASTS and current) or (age <= _FRESH and not newest):
                    return kept[2]
                if age < _FRESH:
                    # All who ask meanwhile wait for the same view.
                    await asyncio.sleep(_FRESH - age)
            begun, included = self._clock(), self._newest()
            view = await self._make(pool, night, sight, now)
            self._keep(key, (begun, included, view))
            return view

    def forget(self, night: str) -> None:
        """Have the views of a night made anew: somebody has just changed something and looks for it."""
        for key in [key for key in self._kept if key[0] == night]:
            del self._kept[key]

    def _keep(self, key: Key, item: tuple[float, int, NightView]) -> None:
        if len(self._kept) >= _MOST_VIEWS:
            limit = self._clock() - _LASTS
            self._kept = {one: old for one, old in self._kept.items() if old[0] > limit}
            if len(self._kept) >= _MOST_VIEWS:
                self._kept.clear()
        self._kept[key] = item
        self._locks = {one: lock for one, lock in self._locks.items() if one in self._kept or lock.locked()}

    async def _make(self, pool: Pool, night: str, sight: Sight, now: datetime) -> NightView:
        frames = await store.frames(pool, night, sight)
        products = await store.products(pool, night, sight)
        spectra = await self._targets(pool, products)
        arcs = await store.figures_of_jobs(
            pool, sorted({key for frame in frames if (key := arc_of(frame))}), sight
        )
        goals = goals_in_force(await store.goals(pool, None), night)
        fields = await asyncio.to_thread(
            fields_of, frames, products, spectra, arcs, goals, self.thresholds, night
        )
        longitude, latitude = self._settings.site_longitude, self._settings.site_latitude
        darkness = darkness_of(night, longitude, latitude)
        policy = self._match_policy()
        arrived = max((frame["arrived_at"] for frame in frames), default=None)
        live = now < policy.ends_at(night) or (arrived is not None and now - arrived < _LIVE)
        moment = _present(frames, now) if live else now
        ready = await self._readiness(pool, night, sight, frames, moment) if live and frames else None
        return NightView(
            night,
            frames,
            products,
            tuple(fields),
            draw_timeline(frames, darkness, moment),
            darkness,
            ready,
            live,
            now,
        )

    async def _targets(self, pool: Pool, products: Sequence[Row]) -> dict[str, ProductSpectra]:
        wanted = {
            product["product_id"]: (product["product_id"], product["checksum"])
            for product in products
            if product["kind"] == "object"
        }
        missing = [product_id for product_id, key in wanted.items() if key not in self._spectra]
        if missing:
            if len(self._spectra) + len(missing) > _MOST_SPECTRA:
                self._spectra.clear()
                missing = list(wanted)
            for product_id, found in (await store.spectra(pool, missing)).items():
                self._spectra[wanted[product_id]] = found
        return {product_id: self._spectra[key] for product_id, key in wanted.items() if key in self._spectra}

    async def _readiness(
        self, pool: Pool, night: str, sight: Sight, frames: Sequence[Row], moment: datetime
    ) -> Readiness | None:
        policy = self._match_policy().of_night(night)
        states = await store.states_near(pool, night, policy)
        seen = {frame["frame_id"] for frame in frames if frame["state"] != "junked"}
        counted: list[Frame] = [item.frame for name, item in states[night].frames.items() if name in seen]
        found = await asyncio.to_thread(readiness, states, counted, moment, policy)
        return None if found is None else await _told(pool, found, sight)

    def _match_policy(self) -> MatchPolicy:
        if self._policy is None:
            self._policy = MatchPolicy.of(self._settings)
        return self._policy


def _present(frames: Sequence[Row], now: datetime) -> datetime:
    if not frames:
        return now
    newest = max(frames, key=lambda row: (row["arrived_at"], row["utmjd"]))
    end = from_mjd(newest["utmjd"]) + timedelta(seconds=float(newest["exposed"]))
    return present(now, end, newest["arrived_at"])


async def _told(pool: Pool, found: Readiness, sight: Sight) -> Readiness:
    """Readiness without the names of frames that somebody may not see."""
    texts = [(role.reason, role.sources) for arm in found.arms for role in arm.roles]
    hidden = await hidden_names(pool, names_in(texts), sight)
    if not hidden:
        return found
    return replace(found, arms=tuple(_arm_without(arm, hidden) for arm in found.arms))


def _arm_without(arm: ArmReadiness, hidden: frozenset[str]) -> ArmReadiness:
    return replace(
        arm,
        roles=tuple(
            replace(
                role,
                reason=without(role.reason, hidden),
                sources=tuple(one for one in role.sources if not names_in(one) & hidden),
            )
            for role in arm.roles
        ),
    )


def goals_in_force(known: Sequence[tuple[str, Goal, Row]], night: str) -> dict[str, Goal | None]:
    """The goal that counts in a night, by proposal; the empty one is for all others."""
    by_proposal: dict[str, list[Goal]] = {}
    for proposal, goal, _row in known:
        by_proposal.setdefault(proposal, []).append(goal)
    found = {proposal: goal_in_force(goals, night) for proposal, goals in by_proposal.items()}
    return {proposal: goal for proposal, goal in found.items() if goal is not None or proposal == ""}
