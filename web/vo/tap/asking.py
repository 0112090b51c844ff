"""What a query asks for: parameters, checked. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from paws.errors import InvalidInputError
from paws.settings import Settings
from web.vo.formats.registry import Choice, choose
from web.vo.problems import BadRequestError
from web.vo.tap.parameters import Parameters

LANGUAGES: Final = ("ADQL", "ADQL-2.0", "ADQL-2.1")
_UPLOAD_NAME: Final = re.compile(r"(?:TAP_UPLOAD\.)?([A-Za-z][A-Za-z0-9_]{0,59})", re.IGNORECASE)
_PARAM: Final = "param:"


@dataclass(frozen=True)
class UploadAsk:
    """A table that comes with a query.

    Attributes
    ----------
    name
        After ``TAP_UPLOAD.``.
    part
        Name of the part of the form that holds it; empty where it is fetched.
    address
        Where it is fetched from; empty where it came with the form.
    """

    name: str
    part: str = ""
    address: str = ""


@dataclass(frozen=True)
class TapQuestion:
    """A query with all that belongs to it.

    Attributes
    ----------
    limit
        Rows of the answer; further rows make it overflow.
    """

    query: str
    choice: Choice
    limit: int
    uploads: tuple[UploadAsk, ...] = ()
    run_id: str | None = None


def read_question(parameters: Parameters, settings: Settings, accept: str | None = None) -> TapQuestion:
    """Check the parameters of a query.

    Raises
    ------
    BadRequestError
        If one is missing or wrong; the text names it.
    """
    request = parameters.one("REQUEST")
    if request is not None and request.lower() != "doquery":
        raise BadRequestError(f"REQUEST is doQuery, not {request[:60]!r}.")
    language = parameters.one("LANG")
    if language is None:
        raise BadRequestError(f"LANG is missing: the language of the query, one of {', '.join(LANGUAGES)}.")
    if language.strip().upper() not in LANGUAGES:
        raise BadRequestError(
            f"LANG {language[:60]!r} is not spoken here; take one of {', '.join(LANGUAGES)}."
        )
    query = parameters.one("QUERY")
    if query is None:
        raise BadRequestError("QUERY is missing: the query itself, in ADQL.")
    if len(query) > settings.tap_query_length:
        raise BadRequestError(
            f"The query has {len(query)} characters; at most {settings.tap_query_length} are read. "
            "Upload a long list as a table and join it."
        )
    return TapQuestion(
        query,
        _format(parameters, accept),
        parameters.most_rows(settings.tap_maxrec, settings.tap_maxrec_max),
        _uploads(parameters.all("UPLOAD"), settings),
        run_id_of(parameters),
    )


def run_id_of(parameters: Parameters) -> str | None:
    """RUNID, whose text is the client's own.

    Raises
    ------
    BadRequestError
        If it is too long.
    """
    run_id = parameters.one("RUNID")
    if run_id is not None and len(run_id) > 200:
        raise BadRequestError("RUNID has more than 200 characters.")
    return run_id


def _format(parameters: Parameters, accept: str | None) -> Choice:
    asked = parameters.one("RESPONSEFORMAT") or parameters.one("FORMAT")
    try:
        return choose(asked, accept)
    except InvalidInputError as error:
        raise BadRequestError(error.message) from error


def _uploads(values: list[str], settings: Settings) -> tuple[UploadAsk, ...]:
    asked = [pair.strip() for value in values for pair in value.split(";") if pair.strip()]
    if len(asked) > settings.tap_upload_tables:
        raise BadRequestError(
            f"A query may upload {settings.tap_upload_tables} tables; these are {len(asked)}."
        )
    found: dict[str, UploadAsk] = {}
    for pair in asked:
        upload = _upload(pair)
        if upload.name.lower() in found:
            raise BadRequestError(f"Two uploads are called {upload.name}.")
        found[upload.name.lower()] = upload
    return tuple(found.values())


def _upload(pair: str) -> UploadAsk:
    name, comma, address = pair.partition(",")
    named = _UPLOAD_NAME.fullmatch(name.strip())
    if not comma or named is None:
        raise BadRequestError(
            f"UPLOAD {pair[:80]!r} is not understood; write NAME,param:PART or NAME,http://ADDRESS, "
            "with a name of letters, digits and '_'."
        )
    address = address.strip()
    if address.lower().startswith(_PARAM):
        return UploadAsk(named.group(1), part=address[len(_PARAM) :])
    if not address.lower().startswith(("http://", "https://")):
        raise BadRequestError(
            f"UPLOAD {named.group(1)}: tables are taken from http:// and https:// and, with param:, from the form."
        )
    return UploadAsk(named.group(1), address=address)
