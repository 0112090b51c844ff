"""Forms: read within bounds, and only when one of our own pages sent them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request

from paws.accounts.secrets import same
from web.accounts.identify import visit_of
from web.bodies import fields
from web.problems import ProblemError

CSRF_FIELD: Final = "csrf"
LARGEST: Final = 65_536
"""Bytes of a form. Nothing that people type is larger."""
_MOST_FIELDS: Final = 500


class Form:
    """Fields of a form. A field that is not there is empty."""

    def __init__(self, items: list[tuple[str, str]]) -> None:
        self._items = items

    def __getitem__(self, name: str) -> str:
        return next((value for key, value in self._items if key == name), "")

    def all(self, name: str) -> list[str]:
        """All values of a field that may be given more than once."""
        return [value for key, value in self._items if key == name]

    def starting(self, prefix: str) -> dict[str, str]:
        """Fields whose names start so, without it; the first of each name."""
        found: dict[str, str] = {}
        for key, value in self._items:
            if key.startswith(prefix):
                found.setdefault(key.removeprefix(prefix), value)
        return found


async def read_form(request: Request, largest: int = LARGEST, most_fields: int = _MOST_FIELDS) -> Form:
    """Form of a request, its origin proven.

    Parameters
    ----------
    largest, most_fields
        Bytes and fields of the form, for those that name many frames.

    Raises
    ------
    ProblemError
        415 if it is of another kind; 403 if no page of ours sent it.
    BodyError
        413, 408 or 400 if it is too large, stops, or cannot be read.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "A form is application/x-www-form-urlencoded.")
    form = Form(await fields(request, largest, most_fields))
    expected = visit_of(request).csrf_expected()
    if expected is None or not same(form[CSRF_FIELD], expected):
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            "The form is too old, or was not sent by a page of ours. Load the page again.",
        )
    return form


def safe_target(text: str) -> str:
    r"""Path of ours to go to after signing in; the live page for anything else.

    Browsers read ``//host``, ``/\host`` and tabs in between as another site.
    """
    if not text.startswith("/") or text.startswith(("//", "/\\")) or "\\" in text or not text.isprintable():
        return "/"
    parts = urlsplit(text)
    if parts.scheme or parts.netloc or len(text) > 1000 or not text.isascii():
        return "/"
    return text
