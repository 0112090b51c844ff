"""Templates and the small formats they use. Everything is escaped; UT comes before local time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any, Final
from zoneinfo import ZoneInfo

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse

from paws.clock import from_mjd, night_date
from schemas.vocabulary import CalibrationRole
from web.accounts.identify import visit_of
from web.api.models import Problem
from web.pages import words
from web.pages.navigation import tabs_of
from web.state import web_state

HERE: Final = Path(__file__).resolve().parent.parent
STATIC: Final = HERE / "static"
LONG: Final = 8
"""Longest list whose values are written out."""
THEMES: Final = ("dark", "red", "light")
"""Looks; the first is the usual one. Red spares eyes that are used to the dark."""
THEME_COOKIE: Final = "paws_theme"
_UNNAMED_PATHS: Final = ("/reset", "/share", "/sign-in/return")
SITE_ZONE: Final = ZoneInfo("Australia/Sydney")


def _moment(value: datetime | float) -> datetime:
    return from_mjd(value) if isinstance(value, int | float) else value.astimezone(UTC)


def ut(value: datetime | float | None, seconds: bool = True) -> str:
    """Time of day in UT, of an aware time or a modified Julian date."""
    if value is None:
        return ""
    return _moment(value).strftime("%H:%M:%S" if seconds else "%H:%M")


def local(value: datetime | float | None) -> str:
    """Time of day at the telescope."""
    return "" if value is None else _moment(value).astimezone(SITE_ZONE).strftime("%H:%M")


def day_and_time(value: datetime | None) -> str:
    """Date and time, UT."""
    return "" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def iso(value: datetime | float | None) -> str:
    """Date and time for programs."""
    return "" if value is None else _moment(value).strftime("%Y-%m-%dT%H:%M:%SZ")


def number(value: float | None, digits: int = 1) -> str:
    """A number with fixed digits; nothing for None."""
    return "" if value is None else f"{value:.{digits}f}"


def compact(value: Any) -> str:
    """A value of unknown kind, short."""
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, list | tuple):
        return _summary(value) if len(value) > LONG else ", ".join(compact(item) for item in value)
    return str(value)


def _summary(values: Sequence[Any]) -> str:
    """Many values, such as one a fibre, in one line: the file beside the product has them all."""
    numbers = sorted(item for item in values if isinstance(item, int | float) and isfinite(item))
    if not numbers:
        return f"{len(values)} values"
    return f"median {compact(float(median(numbers)))}, {compact(numbers[0])} to {compact(numbers[-1])} ({len(numbers)})"


def role(value: str) -> str:
    """What people call a calibration role."""
    return CalibrationRole(value).meaning if value in set(CalibrationRole) else str(value)


def size(value: int) -> str:
    """A size in bytes."""
    if value < 1000:
        return f"{value} B"
    scaled = value / 1000
    for unit in ("kB", "MB"):
        if scaled < 1000:
            return f"{scaled:.1f} {unit}"
        scaled /= 1000
    return f"{scaled:.1f} GB"


def night_words(night: str) -> str:
    """A night as people write it."""
    try:
        return night_date(night).strftime("%-d %B %Y")
    except ValueError:
        return night


def seconds_between(start: datetime | None, end: datetime | None) -> str:
    """How long something took."""
    if start is None or end is None:
        return ""
    return f"{(end - start).total_seconds():.1f} s"


@lru_cache(maxsize=64)
def asset(name: str) -> str:
    """Address of a static file that changes with its content, so that it may be kept for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "ut": ut,
        "local": local,
        "when": day_and_time,
        "iso": iso,
        "number": number,
        "compact": compact,
        "role": role,
        "size": size,
        "night": night_words,
    }
    environment.globals |= {
        "asset": asset,
        "words": words,
        "word": words.word,
        "took": seconds_between,
    }
    return environment


_ENVIRONMENT: Final = _environment()


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page. It is never kept by the browser: a night goes on."""
    visit = visit_of(request)
    text = _ENVIRONMENT.get_template(template).render(
        path=request.url.path,
        here=_here(request),
        tabs=tabs_of(request.app),
        theme=theme_of(request.cookies.get(THEME_COOKIE)),
        themes=THEMES,
        visitor=visit.visitor,
        csrf=visit.csrf,
        library=web_state(request).vendor.address,
        **values,
    )
    return HTMLResponse(text, status, headers={"Cache-Control": "no-cache"})


def _here(request: Request) -> str:
    """Address of the page, to come back to; without what may be a secret."""
    path = request.url.path
    return path if path in _UNNAMED_PATHS or not request.url.query else f"{path}?{request.url.query}"


def theme_of(cookie: str | None) -> str:
    """Look that a browser has chosen."""
    return cookie if cookie in THEMES else THEMES[0]


def error_page(request: Request, problem: Problem) -> HTMLResponse:
    """Page that tells of an error."""
    return page(request, "error.html", problem.status, problem=problem)
