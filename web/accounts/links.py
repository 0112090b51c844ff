"""Addresses of ours for mails and for people to copy. Never made from what a request says its host is."""

from __future__ import annotations

from http import HTTPStatus

from paws.settings import Settings
from web.problems import ProblemError


def public_url(settings: Settings) -> str | None:
    """Address under which people reach the pages, without a slash at the end; None when it is not known."""
    if settings.web_url:
        return settings.web_url.rstrip("/")
    if settings.web_host in ("127.0.0.1", "localhost") and settings.web_port:
        return f"http://{settings.web_host}:{settings.web_port}"
    return None


def require_public_url(settings: Settings) -> str:
    """The same.

    Raises
    ------
    ProblemError
        503 if it is not known.
    """
    found = public_url(settings)
    if found is None:
        raise ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "This installation does not know the address people reach it by: its administrator sets PAWS_WEB_URL.",
        )
    return found
