"""Thresholds of quality figures: data with the date from which each counts, who says so, and a file for a site's own."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from paws.errors import ConfigurationError
from paws.nightwatch.growth import is_night
from schemas.vocabulary import Arm

Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,60}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=400)]


class Threshold(BaseModel):
    """A limit of a figure, from a night on.

    Attributes
    ----------
    own
        Whether it stands in the site's own file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)

    figure: Word
    since: Annotated[str, StringConstraints(pattern=r"^[0-9]{8}$")] = Field(alias="from")
    side: Literal["above", "below", "away"]
    limit: float
    severe: float | None = None
    arm: Arm | None = None
    grating: str | None = None
    source: Text
    own: bool = False

    def passed_by(self, value: float, limit: float | None = None) -> bool:
        """Whether a value lies beyond the limit, or beyond another one on the same side."""
        beyond = self.limit if limit is None else limit
        if self.side == "below":
            return value < beyond
        return (abs(value) if self.side == "away" else value) > beyond

    def fits(self, night: str, arm: str, grating: str) -> bool:
        """Whether it may count in a night, for an arm and grating."""
        return (
            self.since <= night
            and (self.arm is None or self.arm == arm)
            and (self.grating is None or self.grating == grating)
        )


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1]
    threshold: list[Threshold] = Field(max_length=1000)


def in_force(thresholds: Iterable[Threshold], night: str, arm: str, grating: str) -> dict[str, Threshold]:
    """The threshold of each figure that counts in a night, for an arm and grating.

    What is for the arm or grating stands before what is for all; then the newest; then the site's own.
    """
    found: dict[str, Threshold] = {}
    for item in thresholds:
        if item.fits(night, arm, grating) and (
            item.figure not in found or _rank(item) >= _rank(found[item.figure])
        ):
            found[item.figure] = item
    return found


def _rank(item: Threshold) -> tuple[int, str, bool]:
    return (item.arm is not None) + (item.grating is not None), item.since, item.own


def shipped() -> list[Threshold]:
    """Thresholds that come with PAWS Live."""
    text = (resources.files("paws.nightwatch") / "thresholds.toml").read_text("utf-8")
    return read(text, "thresholds.toml", own=False)


def load(path: Path | None) -> list[Threshold]:
    """All thresholds: those that come with PAWS Live, and a site's own.

    Raises
    ------
    ConfigurationError
        If the site's file cannot be read, or holds something else.
    """
    if path is None:
        return shipped()
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"PAWS_THRESHOLDS: {path} cannot be read: {error}.") from error
    return [*shipped(), *read(text, str(path), own=True)]


def read(text: str, name: str, *, own: bool) -> list[Threshold]:
    """Thresholds in a file.

    Raises
    ------
    ConfigurationError
        If it is no file of thresholds: its name, the entry, and what is wrong with it.
    """
    try:
        found = _File.model_validate(tomllib.loads(text)).threshold
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name} is no TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{name}: {where}: {first['msg']}.") from error
    wrong = [item for item in found if not is_night(item.since)]
    if wrong:
        raise ConfigurationError(
            f"{name}: {wrong[0].figure} is from {wrong[0].since!r}, which is no night (YYYYMMDD)."
        )
    return [item.model_copy(update={"own": own}) for item in found]


def history(thresholds: Sequence[Threshold]) -> list[Threshold]:
    """All of them by figure, the newest first."""
    newest_first = sorted(thresholds, key=lambda item: (item.since, item.own), reverse=True)
    return sorted(newest_first, key=lambda item: item.figure)
