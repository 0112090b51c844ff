"""The rules that a site sets: how long to wait, how far to look, what reduces."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

from paws.clock import night_date
from paws.engines import engine_reference
from paws.settings import Settings
from schemas.reductions import ParameterValue
from schemas.vocabulary import CalibrationLevel, ReductionKind

LIBRARY_NIGHTS = 400
"""How far back the library (L4) reaches, where it is allowed at all."""


@dataclass(frozen=True)
class MatchPolicy:
    """Rules of matching. Times are in seconds.

    Attributes
    ----------
    match_wait
        How long a frame waits for calibrations of its own field.
    max_level
        Worst level that may be used.
    optional_wait
        How long an optional calibration in reduction may stand still before a frame goes on without it.
    group_quiet
        Quiet time after which a group of biases, darks or long-slit flats is combined.
    run_nights
        Nights that count as one observing run.
    longitude
        Of the site, degrees east.
    engines
        First night, engine and version, by night: that engine reduces nights from then on.
    changes
        What somebody asked for beside `parameters`, for the kinds of reduction that it concerns alone: so that
        calibrations which it leaves as they are keep their keys.
    """

    match_wait: float = 300.0
    max_level: CalibrationLevel = CalibrationLevel.SAME_RUN
    optional_wait: float = 30.0
    group_quiet: float = 3.0
    run_nights: int = 14
    longitude: float = 149.0661
    engine: str = "builtin"
    engine_version: str = "test"
    parameters: tuple[tuple[str, ParameterValue], ...] = ()
    engines: tuple[tuple[str, str, str], ...] = ()
    changes: tuple[tuple[ReductionKind, tuple[tuple[str, ParameterValue], ...]], ...] = ()

    def parameters_of(self, kind: ReductionKind) -> tuple[tuple[str, ParameterValue], ...]:
        """Parameters of a kind of reduction, by name."""
        if not self.changes:
            return self.parameters
        changed = dict(self.changes).get(kind, ())
        return tuple(sorted({**dict(self.parameters), **dict(changed)}.items()))

    @classmethod
    def of(cls, settings: Settings) -> MatchPolicy:
        """Policy in the settings."""
        return cls(
            match_wait=settings.match_wait,
            max_level=CalibrationLevel(settings.match_max_level),
            optional_wait=settings.match_optional_wait,
            group_quiet=settings.match_group_quiet,
            run_nights=settings.match_run_nights,
            longitude=settings.site_longitude,
            engine=settings.engine,
            engine_version=engine_version(settings),
            parameters=tuple(sorted(settings.engine_parameters.items())),
            engines=tuple(
                (night, name, engine_reference(settings, name).version)
                for night, name in sorted(settings.engine_nights.items())
            ),
        )

    def of_night(self, night: str) -> MatchPolicy:
        """Policy for a night: with the engine that reduces it."""
        later = [(engine, version) for first, engine, version in self.engines if first <= night]
        if not later:
            return self
        engine, version = later[-1]
        return replace(self, engine=engine, engine_version=version)

    @property
    def horizon(self) -> int:
        """Nights, before and after, whose calibrations may be used."""
        return LIBRARY_NIGHTS if self.max_level is CalibrationLevel.LIBRARY else self.run_nights

    def ends_at(self, night: str) -> datetime:
        """Noon that ends a night (UTC)."""
        noon = datetime.combine(night_date(night) + timedelta(days=1), time(12), UTC)
        return noon - timedelta(hours=self.longitude / 15.0)


def engine_version(settings: Settings) -> str:
    """Version that stands in job keys: the one set, or that of the engine itself."""
    return engine_reference(settings).version
