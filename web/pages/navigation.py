"""The way around: main pages, of which only those are linked that exist, and what the keys do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from starlette.applications import Starlette
from starlette.routing import Route


@dataclass(frozen=True)
class Tab:
    """A main page.

    Attributes
    ----------
    name
        On the page.
    path
        Address; a page below it belongs to it.
    key
        What follows ``g`` on the keyboard.
    also
        Further addresses that belong to it.
    """

    name: str
    path: str
    key: str
    also: tuple[str, ...] = ()

    def holds(self, path: str) -> bool:
        """Whether an address belongs to this page."""
        return path in (self.path, *self.also) or (self.path != "/" and path.startswith(f"{self.path}/"))


TABS: Final = (
    Tab("Live", "/", "l"),
    Tab("Nights", "/nights", "n"),
    Tab("Archive", "/archive", "a"),
    Tab("Requests", "/requests", "r"),
    Tab("Products", "/products", "p", ("/downloads",)),
    Tab("Explorer", "/explorer", "e"),
    Tab("Query", "/query", "q"),
    Tab("Tables", "/tables", "t", ("/tap",)),
    Tab("API", "/api", "i"),
)


REDIRECT: Final = "redirect"
"""Name of routes that only lead elsewhere: no page of their own."""


@lru_cache(maxsize=8)
def tabs_of(app: Starlette) -> tuple[Tab, ...]:
    """Main pages that an application has."""
    paths = {route.path for route in app.routes if isinstance(route, Route) and route.name != REDIRECT}
    return tuple(tab for tab in TABS if tab.path in paths)


KEYS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "Everywhere": (
        ("?", "this page"),
        ("t", "next look: dark, red, light"),
        ("/", "find on this page, where it can be searched"),
        ("Esc", "leave a field"),
    ),
    "Night": (
        ("j k", "next, previous row"),
        ("h l", "blue arm, red arm"),
        ("Enter", "the frame"),
        ("p", "its product"),
        ("x", "junk it, or reduce it again"),
    ),
    "Explorer": (
        ("← →", "previous, next fibre, in the table's order"),
        ("/", "find a fibre; Enter takes the first"),
        ("[ ]", "lower, raise the redshift"),
        ("p", "keep this spectrum beside others"),
        ("0", "whole spectrum"),
        ("o", "choose another product"),
    ),
    "Archive": (
        ("j k", "next, previous frame"),
        ("x", "select it, or not"),
        ("a", "select the whole page, or nothing of it"),
        ("Shift click", "select all between"),
    ),
    "Query": (
        ("Ctrl Enter", "run the query"),
        ("Ctrl Space", "what can stand here"),
        ("↑ ↓", "previous, next row of the result"),
        ("Enter", "open the link of a row"),
    ),
    "Spectra": (
        ("← →", "previous, next fibre"),
        ("+ −", "zoom in, out"),
        ("0", "whole spectrum"),
        ("/", "find a fibre"),
    ),
}
"""What the keys do, by page."""
