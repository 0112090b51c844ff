"""The chain of reductions: from any frame back to its biases, each task settled once.

Tasks depend on tasks of earlier kinds only (bias, dark, long-slit flat, tramline map, arc, fibre flat, sky,
object, combined, spliced), and the choice for a role looks only at failures in that role. So the chain has
no cycle, and what it settles on depends on the frames and on what fails, not on the order of events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import takewhile

from paws.matching import slots
from paws.matching.choose import (
    PRODUCTS_FOR,
    Candidate,
    MatchDecision,
    Progress,
    Refusal,
    nearby_fibre_frames,
    nearby_sessions,
    pick,
    refused_in_field,
)
from paws.matching.night_index import Exposures, NightIndex, Session
from paws.matching.settle import NEVER, Moment, Patience, closed_at, describe_role, settle
from paws.matching.sighting import Sighting
from paws.matching.state import NightState
from paws.matching.task import Task, concerning
from schemas.frames import FibreKey
from schemas.vocabulary import CalibrationLevel, CalibrationRole, FrameClass, ProductKind, ReductionKind

_Place = tuple[CalibrationRole, str, tuple[object, ...], FibreKey | None]
"""For which role, where: all frames there may have the same calibration."""

_SESSION_PRODUCTS = {
    FrameClass.BIAS: ProductKind.COMBINED_BIAS,
    FrameClass.DARK: ProductKind.COMBINED_DARK,
    FrameClass.LFLAT: ProductKind.COMBINED_LFLAT,
}
_SESSION_ROLES = {
    CalibrationRole.BIAS: FrameClass.BIAS,
    CalibrationRole.DARK: FrameClass.DARK,
    CalibrationRole.LFLAT: FrameClass.LFLAT,
}
_FIBRE_CLASSES = {
    CalibrationRole.TLM: FrameClass.MFFFF,
    CalibrationRole.ARC: FrameClass.MFARC,
    CalibrationRole.FFLAT: FrameClass.MFFFF,
    CalibrationRole.THPUT: FrameClass.MFSKY,
}
_MISSING = {
    role: f"there is no {describe_role(role).split(' ', 1)[1]} with this set-up and plate, of this run or nearer"
    for role in CalibrationRole
}
_NOTHING = {role: MatchDecision(role, None, None, (), text) for role, text in _MISSING.items()}


class Chain:
    """Tasks of some nights, settled on demand and remembered.

    Parameters
    ----------
    nights
        The night that is planned and those whose calibrations may serve it.
    moment
        The time of planning, with the policy.
    """

    def __init__(self, nights: Mapping[str, NightState], moment: Moment) -> None:
        self._nights = nights
        self._moment = moment
        self._policy = moment.policy
        self._indices: dict[str, NightIndex] = {night: state.index for night, state in nights.items()}
        self._closed = {night: closed_at(state, self._policy) for night, state in nights.items()}
        self._tasks: dict[str, Task] = {}
        self._of_frame: dict[tuple[str, ProductKind], Task] = {}
        self._of_session: dict[int, Task] = {}
        self._classes = {kind for index in self._indices.values() for kind in index.classes}
        self._sure: dict[_Place, tuple[Candidate, tuple[Refusal, ...]]] = {}
        self._made: dict[CalibrationRole, bool] = {}
        self.looks_abroad: set[FrameClass] = set()

    def closed(self, night: str) -> bool:
        """Whether nothing more is expected of a night."""
        return self._moment.past(self._closed[night])

    def detector_frame(self, sighting: Sighting) -> Task:
        """Reduction of one bias, dark or long-slit flat."""
        kind, product, roles = {
            FrameClass.BIAS: (ReductionKind.REDUCE_BIAS, ProductKind.BIAS, ()),
            FrameClass.DARK: (ReductionKind.REDUCE_DARK, ProductKind.DARK, (CalibrationRole.BIAS,)),
            FrameClass.LFLAT: (ReductionKind.REDUCE_LFLAT, ProductKind.LFLAT, (CalibrationRole.BIAS,)),
        }[sighting.frame.frame_class]
        return self._single(sighting, kind, product, lambda: self._choose_detector(sighting, roles))

    def session(self, session: Session) -> Task:
        """Combined calibration of a session; of one frame alone, that frame's own reduction."""
        known = self._of_session.get(id(session))
        if known is None:
            known = self._of_session[id(session)] = self._combine_session(session)
        return known

    def _combine_session(self, session: Session) -> Task:
        members = tuple(
            task
            for task in map(self.detector_frame, session.members)
            if task.progress not in (Progress.FAILED, Progress.BLOCKED)
        )
        if len(members) < 2:
            return members[0] if members else self.detector_frame(session.members[0])
        product = _SESSION_PRODUCTS[session.frame_class]
        slot = slots.of_session(session, product)
        gate = NEVER if session.followed else session.last_seen + self._quiet(session)
        task = Task(
            slot,
            ReductionKind.COMBINE_IMAGE,
            product,
            session.night,
            lambda: slots.layout_of_session(session),
            session.members,
            members=members,
        )
        return self._settle(task, Patience(gate=gate))

    def _quiet(self, session: Session) -> timedelta:
        """How long nothing may come before a session is taken for complete: longer at a slow pace."""
        longest = timedelta(seconds=self._policy.match_wait)
        return max(timedelta(seconds=self._policy.group_quiet), min(1.5 * session.pace, longest))

    def tramline_map(self, flat: Sighting) -> Task:
        """Tramline map of a fibre flat."""
        return self._single(
            flat,
            ReductionKind.MAKE_TLM,
            ProductKind.TLM,
            lambda: self._choose_detector(flat, (CalibrationRole.BIAS,)),
        )

    def arc(self, arc: Sighting) -> Task:
        """Wavelength solution of an arc."""
        return self._single(
            arc,
            ReductionKind.REDUCE_ARC,
            ProductKind.ARC,
            lambda: (
                self._choose(arc, CalibrationRole.TLM),
                *self._choose_detector(arc, (CalibrationRole.BIAS,)),
            ),
        )

    def fibre_flat(self, flat: Sighting) -> Task:
        """Fibre flat; its tramline map is its own."""
        return self._single(
            flat,
            ReductionKind.REDUCE_FFLAT,
            ProductKind.FFLAT,
            lambda: (
                self._own_map(flat),
                self._choose(flat, CalibrationRole.ARC),
                *self._choose_detector(flat, (CalibrationRole.BIAS, CalibrationRole.LFLAT)),
            ),
        )

    def sky(self, sky: Sighting) -> Task:
        """Offset sky or twilight frame."""
        return self._single(
            sky, ReductionKind.REDUCE_SKY, ProductKind.SKY, lambda: self._choose_for_spectra(sky)
        )

    def target(self, science: Sighting) -> Task:
        """Science exposure."""
        return self._single(
            science,
            ReductionKind.REDUCE_OBJECT,
            ProductKind.OBJECT,
            lambda: (
                *self._choose_for_spectra(science),
                self._choose(science, CalibrationRole.THPUT),
            ),
        )

    def combined(self, exposures: Exposures) -> Task | None:
        """Combined spectra of a field, or None while there are not two exposures that can be reduced."""
        members = tuple(
            task
            for task in map(self.target, exposures.members)
            if task.progress not in (Progress.FAILED, Progress.BLOCKED)
        )
        if len(members) < 2:
            return None
        night = exposures.members[0].frame.night
        setup = self._indices[night].setups[exposures.camera]
        slot = slots.of_exposures(exposures, setup)
        if slot not in self._tasks:
            subjects = tuple(task.subjects[0] for task in members)
            task = Task(
                slot,
                ReductionKind.COMBINE_SPECTRA,
                ProductKind.COMBINED,
                night,
                lambda: slots.layout_of_exposures(exposures, setup),
                subjects,
                members=members,
            )
            self._settle(task, Patience())
        return self._tasks[slot]

    def spliced(self, blue: Task, red: Task) -> Task:
        """Both arms of an exposure, or of a combined field, joined."""
        product = (
            ProductKind.SPLICED_COMBINED if blue.product is ProductKind.COMBINED else ProductKind.SPLICED
        )
        if product is ProductKind.SPLICED:
            slot = slots.of_spliced_run(blue.night, blue.subjects[0].frame.run)
        else:
            slot = slots.of_spliced_field(slots.layout_of_splice(blue.layout(), red.layout(), product))
        if slot not in self._tasks:
            task = Task(
                slot,
                ReductionKind.SPLICE,
                product,
                blue.night,
                lambda: slots.layout_of_splice(blue.layout(), red.layout(), product),
                blue.subjects + red.subjects,
                members=(blue, red),
            )
            self._settle(task, Patience())
        return self._tasks[slot]

    def _single(
        self,
        sighting: Sighting,
        kind: ReductionKind,
        product: ProductKind,
        choose: Callable[[], tuple[MatchDecision, ...]],
    ) -> Task:
        known = self._of_frame.get((sighting.frame_id, product))
        if known is not None:
            return known
        slot = slots.of_frame(sighting, product)
        night = sighting.frame.night
        setup = self._indices[night].setups.get(sighting.camera, 1)
        mark = self._nights[night].parameters.get(sighting.frame_id)
        task = Task(
            slot,
            kind,
            product,
            night,
            lambda: slots.layout_of_frame(sighting, setup),
            (sighting,),
            frames=(sighting,),
            decisions=choose(),
            parameters=concerning(mark.parameters, kind) if mark else (),
        )
        self._of_frame[sighting.frame_id, product] = task
        return self._settle(task, Patience(hold_until=self._hold_until(sighting)))

    def _settle(self, task: Task, patience: Patience) -> Task:
        self._tasks[task.slot] = task
        closed = self._closed[task.night] <= self._moment.now
        patience = Patience(patience.hold_until, patience.gate, closed)
        settle(task, self._nights[task.night], self._moment, patience)
        if task.provisional and not closed:
            self._moment.past(self._closed[task.night])
        return task

    def _hold_until(self, sighting: Sighting) -> datetime:
        if self._indices[sighting.frame.night].next_field_began(sighting):
            return NEVER
        return sighting.seen_at + timedelta(seconds=self._policy.match_wait)

    def _own_map(self, flat: Sighting) -> MatchDecision:
        own = Candidate(
            self.tramline_map(flat), (flat,), CalibrationLevel.SAME_FIELD, 0.0, "its own tramlines"
        )
        return pick(CalibrationRole.TLM, (own,))

    def _choose_for_spectra(self, sighting: Sighting) -> tuple[MatchDecision, ...]:
        return (
            self._choose(sighting, CalibrationRole.TLM),
            self._choose(sighting, CalibrationRole.ARC),
            self._choose(sighting, CalibrationRole.FFLAT),
            *self._choose_detector(
                sighting, (CalibrationRole.BIAS, CalibrationRole.DARK, CalibrationRole.LFLAT)
            ),
        )

    def _maker(self, role: CalibrationRole, sighting: Sighting) -> Task:
        if role is CalibrationRole.ARC:
            return self.arc(sighting)
        if role is CalibrationRole.TLM:
            return self.tramline_map(sighting)
        return self.fibre_flat(sighting) if role is CalibrationRole.FFLAT else self.sky(sighting)

    def _choose(self, sighting: Sighting, role: CalibrationRole) -> MatchDecision:
        kind = _FIBRE_CLASSES[role]
        if kind not in self._classes:
            return self._nothing(role)
        place = (role, sighting.frame.night, sighting.camera, sighting.fibres)
        sure = self._sure.get(place)
        if sure is not None:
            return MatchDecision(role, again := _moved(sure[0], sighting), again, sure[1])
        nearby = nearby_fibre_frames(sighting, kind, self._indices, self._policy)
        if role is CalibrationRole.THPUT:
            # Elsewhere the sky fibres lie differently in the field, so it tells nothing of these fibres.
            nearby = takewhile(lambda item: item.level is CalibrationLevel.SAME_FIELD, nearby)
        refused = refused_in_field(self._indices[sighting.frame.night], sighting, role)
        decision = pick(
            role,
            (
                Candidate(
                    self._maker(role, item.sighting), (item.sighting,), item.level, item.age_days, item.note
                )
                for item in nearby
            ),
            refused,
            _MISSING[role],
            self._any_made,
        )
        self._note_distance(decision)
        if self._indices[sighting.frame.night].one_serves(sighting, kind):
            self._remember(place, decision, len(refused))
        return decision

    def _remember(self, place: _Place, decision: MatchDecision, refused: int = 0) -> None:
        """Keep a choice that is the same for all frames of a field: most are, and most frames ask.

        Parameters
        ----------
        refused
            Number of refusals that are the same for the whole field.
        """
        chosen = decision.chosen
        if chosen is not None and len(decision.refused) == refused and chosen.maker.progress is Progress.DONE:
            self._sure[place] = chosen, decision.refused

    def _any_made(self, role: CalibrationRole) -> bool:
        """Whether any of the nights has a product for a role.

        In an archive that was just taken in, none has, and to look through all nights for each frame would take
        longer than all the rest of planning.
        """
        known = self._made.get(role)
        if known is None:
            words = tuple(f"/{product.value}" for product in PRODUCTS_FOR[role])
            known = self._made[role] = any(
                word in slot for state in self._nights.values() for slot in state.standing for word in words
            )
        return known

    def _nothing(self, role: CalibrationRole) -> MatchDecision:
        self.looks_abroad.add(_FIBRE_CLASSES.get(role) or _SESSION_ROLES[role])
        return _NOTHING[role]

    def _choose_detector(
        self, sighting: Sighting, roles: tuple[CalibrationRole, ...]
    ) -> tuple[MatchDecision, ...]:
        return tuple(self._choose_session(sighting, role) for role in roles)

    def _choose_session(self, sighting: Sighting, role: CalibrationRole) -> MatchDecision:
        kind = _SESSION_ROLES[role]
        if kind not in self._classes:
            return self._nothing(role)
        place = (role, sighting.frame.night, sighting.detector, None)
        sure = self._sure.get(place)
        if sure is not None:
            return MatchDecision(role, again := _moved(sure[0], sighting), again)
        decision = pick(role, self._sessions_near(sighting, kind), any_made=self._any_made)
        self._note_distance(decision)
        if len(self._indices[sighting.frame.night].sessions.get((kind, sighting.detector), ())) == 1:
            self._remember(place, decision)
        return decision

    def _sessions_near(self, sighting: Sighting, kind: FrameClass) -> Iterator[Candidate]:
        for level, age, session in nearby_sessions(sighting, kind, self._indices, self._policy):
            task = self.session(session)
            count = len(task.members) or 1
            note = f"{count} frames combined" if count > 1 else "a single frame"
            if session.frame_class is FrameClass.DARK:
                note += f" of {session.members[0].frame.exposed:g} s"
            sources = tuple(item for member in task.members for item in member.frames) or task.frames
            yield Candidate(task, sources, level, age, note)

    def _note_distance(self, decision: MatchDecision) -> None:
        """Remember of which classes frames of other nights could change a choice."""
        if decision.chosen is None or decision.chosen.level > CalibrationLevel.SAME_PLATE:
            self.looks_abroad.add(_FIBRE_CLASSES.get(decision.role) or _SESSION_ROLES[decision.role])


def _moved(candidate: Candidate, sighting: Sighting) -> Candidate:
    """The same candidate for another frame: only its age differs."""
    sources = candidate.sources
    middle = (sources[0].frame.utmjd + sources[-1].frame.utmjd) / 2
    age = middle - sighting.frame.utmjd
    return Candidate(candidate.maker, sources, candidate.level, age, candidate.note)
