"""How much may differ. Limits turn a comparison into a test. Pure but for `read_limits`."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.compare.figures import Pair
from paws.errors import InvalidInputError
from schemas.vocabulary import ProductKind


class Limits(BaseModel):
    """Limits on a pair of products, B compared with A. None limits nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_flux_ratio: float | None = Field(
        default=None, ge=0, description="Largest |median flux ratio - 1| of a product"
    )
    max_fibre_flux_ratio: float | None = Field(
        default=None, ge=0, description="Largest |flux ratio - 1| that 95 % of its fibres may reach"
    )
    max_shift: float | None = Field(
        default=None, ge=0, description="Largest |median shift|: Angstrom; pixels for tramlines"
    )
    max_fibre_shift: float | None = Field(
        default=None, ge=0, description="Largest |shift| that 95 % of its fibres may reach"
    )
    max_noise_ratio: float | None = Field(default=None, gt=0, description="Largest median noise ratio")
    min_sn_ratio: float | None = Field(default=None, gt=0, description="Smallest median ratio of S/N")
    max_lost_fibres: int | None = Field(
        default=None, ge=0, description="Most fibres of a product that hold data in A and none in B"
    )

    def over(self, other: Limits) -> Limits:
        """These limits, completed by others."""
        own = self.model_dump(exclude_none=True)
        return Limits(**{**other.model_dump(exclude_none=True), **own})


class LimitSet(BaseModel):
    """Limits for every product, for those of a kind, and for the whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limits: Limits = Limits()
    kinds: Mapping[ProductKind, Limits] = Field(default_factory=dict)
    max_failures: int | None = Field(
        default=None, ge=0, description="Most reductions and products that B fails at and A does not"
    )
    max_time_ratio: float | None = Field(default=None, gt=0, description="Largest ratio of engine times")

    @property
    def empty(self) -> bool:
        """Whether nothing is limited."""
        return self == LimitSet()

    def of(self, kind: ProductKind) -> Limits:
        """Limits for products of a kind."""
        return self.kinds.get(kind, Limits()).over(self.limits)


@dataclass(frozen=True)
class Breach:
    """A limit that is exceeded, as a sentence; `path` names the product, or is empty."""

    path: str
    limit: str
    value: float
    allowed: float

    @property
    def sentence(self) -> str:
        """For people."""
        return f"{self.path or 'all'}: {self.limit} is {self.value:.5g}, allowed {self.allowed:.5g}"

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {"path": self.path, "limit": self.limit, "value": self.value, "allowed": self.allowed}


def read_limits(path: Path) -> LimitSet:
    """Read limits from a TOML or JSON file.

    Raises
    ------
    InvalidInputError
        If it cannot be read, or names a limit that does not exist.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        return LimitSet.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidInputError(
            f"Limits in {path}: {where}: {first['msg']}. Known are: {', '.join(Limits.model_fields)} "
            "in [limits] and [kinds.KIND]; max_failures and max_time_ratio at the top."
        ) from error
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"Limits cannot be read from {path}: {error}.") from error


def breaches(pairs: Iterable[Pair], limits: LimitSet) -> list[Breach]:
    """Limits that pairs of products exceed."""
    return [breach for pair in pairs for breach in _of_pair(pair, limits.of(pair.kind))]


def breaches_of_whole(limits: LimitSet, failures: int, seconds: Sequence[float]) -> list[Breach]:
    """Limits that the whole exceeds.

    Parameters
    ----------
    failures
        Reductions and products that only B fails at.
    seconds
        Time in the engine for the products that both have: of A, of B.
    """
    found = []
    if limits.max_failures is not None and failures > limits.max_failures:
        found.append(Breach("", "max_failures", failures, limits.max_failures))
    time_a, time_b = seconds
    if limits.max_time_ratio is not None and time_a > 0 and time_b / time_a > limits.max_time_ratio:
        found.append(Breach("", "max_time_ratio", time_b / time_a, limits.max_time_ratio))
    return found


def _of_pair(pair: Pair, limits: Limits) -> Iterable[Breach]:
    figures = pair.figures
    excess = {
        "max_flux_ratio": abs(figures["flux_ratio"] - 1.0) if "flux_ratio" in figures else None,
        "max_fibre_flux_ratio": figures.get("flux_ratio_most"),
        "max_shift": abs(figures["shift"]) if "shift" in figures else None,
        "max_fibre_shift": figures.get("shift_most"),
        "max_noise_ratio": figures.get("noise_ratio"),
        "max_lost_fibres": figures.get("lost_fibres"),
    }
    for name, value in excess.items():
        allowed = getattr(limits, name)
        if allowed is not None and value is not None and value > allowed:
            yield Breach(pair.path, name, value, allowed)
    ratio = figures.get("sn_ratio")
    if limits.min_sn_ratio is not None and ratio is not None and ratio < limits.min_sn_ratio:
        yield Breach(pair.path, "min_sn_ratio", ratio, limits.min_sn_ratio)
