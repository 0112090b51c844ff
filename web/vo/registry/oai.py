"""OAI-PMH 2.0, as Registry Interfaces 1.1 wants it of a publishing registry. Pure: from arguments to a document."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from web.vo.registry.records import CREATED, MANAGED, Record
from web.vo.xml import XSI, Markup, document, element

_OAI: Final = "http://www.openarchives.org/OAI/2.0/"
_VERBS: Final[dict[str, tuple[frozenset[str], frozenset[str]]]] = {
    # Arguments that are needed, and those that are allowed besides.
    "Identify": (frozenset(), frozenset()),
    "ListMetadataFormats": (frozenset(), frozenset({"identifier"})),
    "ListSets": (frozenset(), frozenset()),
    "ListIdentifiers": (frozenset({"metadataPrefix"}), frozenset({"from", "until", "set"})),
    "ListRecords": (frozenset({"metadataPrefix"}), frozenset({"from", "until", "set"})),
    "GetRecord": (frozenset({"identifier", "metadataPrefix"}), frozenset()),
}
_FORMATS: Final = {
    "ivo_vor": (
        "http://www.ivoa.net/xml/RegistryInterface/v1.0",
        "http://www.ivoa.net/xml/RegistryInterface/v1.0",
    ),
    "oai_dc": (
        "http://www.openarchives.org/OAI/2.0/oai_dc.xsd",
        "http://www.openarchives.org/OAI/2.0/oai_dc/",
    ),
}
"""Schema and namespace, by prefix."""
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_SECOND: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)


class OaiError(Exception):
    """A request that cannot be answered: a code of the protocol, and why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Repository:
    """What is harvested.

    Attributes
    ----------
    records
        That of the registry itself first.
    address
        Of this endpoint.
    """

    name: str
    address: str
    contact: str
    records: Sequence[Record]


def answer(arguments: Iterable[tuple[str, str]], repository: Repository, now: datetime) -> bytes:
    """Answer to a request; errors are answers too."""
    given = list(arguments)
    try:
        checked = _checked(given)
    except OaiError as error:
        # Of wrong arguments nothing is repeated, as the protocol asks.
        return _whole({}, repository, now, _error(error))
    try:
        return _whole(checked, repository, now, _MAKERS[checked["verb"]](checked, repository))
    except OaiError as error:
        return _whole(checked, repository, now, _error(error))


def _checked(given: Sequence[tuple[str, str]]) -> dict[str, str]:
    arguments = dict(given)
    verb = arguments.get("verb")
    if verb not in _VERBS:
        raise OaiError("badVerb", f"The verb is one of {', '.join(_VERBS)}.")
    repeated = [name for name, count in Counter(name for name, _value in given).items() if count > 1]
    needed, allowed = _VERBS[verb]
    names = set(arguments) - {"verb"}
    if "resumptionToken" in names and verb in ("ListIdentifiers", "ListRecords", "ListSets"):
        raise OaiError("badResumptionToken", "Lists are given whole here: there are no tokens.")
    if "verb" in repeated:
        raise OaiError("badVerb", "There are several verbs.")
    if repeated or names - needed - allowed or needed - names:
        lacking = ", ".join(sorted(needed - names)) or "nothing"
        raise OaiError("badArgument", f"{verb}: an argument is wrong or given twice; lacking is {lacking}.")
    return arguments


def _error(error: OaiError) -> Markup:
    return element("oai:error", {"code": error.code}, error.message)


def _whole(checked: Mapping[str, str], repository: Repository, now: datetime, content: Markup) -> bytes:
    # No default namespace: elements of VOResource have none.
    return document(
        element(
            "oai:OAI-PMH",
            {
                "xmlns:oai": _OAI,
                "xmlns:xsi": XSI,
                "xsi:schemaLocation": f"{_OAI} http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd",
            },
            element("oai:responseDate", None, _stamp(now)),
            element("oai:request", dict(checked), repository.address),
            content,
        )
    )


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _identify(_arguments: Mapping[str, str], repository: Repository) -> Markup:
    return element(
        "oai:Identify",
        None,
        element("oai:repositoryName", None, repository.name),
        element("oai:baseURL", None, repository.address),
        element("oai:protocolVersion", None, "2.0"),
        element("oai:adminEmail", None, repository.contact),
        element("oai:earliestDatestamp", None, _stamp(CREATED)),
        element("oai:deletedRecord", None, "no"),
        element("oai:granularity", None, "YYYY-MM-DDThh:mm:ssZ"),
        element("oai:description", None, repository.records[0].resource),
    )


def _formats(arguments: Mapping[str, str], repository: Repository) -> Markup:
    if "identifier" in arguments:
        _record_of(arguments["identifier"], repository)
    return element(
        "oai:ListMetadataFormats",
        None,
        *(
            element(
                "oai:metadataFormat",
                None,
                element("oai:metadataPrefix", None, prefix),
                element("oai:schema", None, schema),
                element("oai:metadataNamespace", None, namespace),
            )
            for prefix, (schema, namespace) in _FORMATS.items()
        ),
    )


def _sets(_arguments: Mapping[str, str], _repository: Repository) -> Markup:
    words = "Records that this registry publishes itself"
    return element(
        "oai:ListSets",
        None,
        element("oai:set", None, element("oai:setSpec", None, MANAGED), element("oai:setName", None, words)),
    )


def _list_identifiers(arguments: Mapping[str, str], repository: Repository) -> Markup:
    return element(
        "oai:ListIdentifiers", None, *(_header(record) for record in _chosen(arguments, repository))
    )


def _list_records(arguments: Mapping[str, str], repository: Repository) -> Markup:
    chosen = _chosen(arguments, repository)
    prefix = arguments["metadataPrefix"]
    return element("oai:ListRecords", None, *(_written(record, prefix) for record in chosen))


def _get_record(arguments: Mapping[str, str], repository: Repository) -> Markup:
    _check_format(arguments["metadataPrefix"])
    record = _record_of(arguments["identifier"], repository)
    return element("oai:GetRecord", None, _written(record, arguments["metadataPrefix"]))


_MAKERS: Final[dict[str, Callable[[Mapping[str, str], Repository], Markup]]] = {
    "Identify": _identify,
    "ListMetadataFormats": _formats,
    "ListSets": _sets,
    "ListIdentifiers": _list_identifiers,
    "ListRecords": _list_records,
    "GetRecord": _get_record,
}


def _check_format(prefix: str) -> None:
    if prefix not in _FORMATS:
        raise OaiError("cannotDisseminateFormat", f"Records are written as {' and '.join(_FORMATS)}.")


def _record_of(ident: str, repository: Repository) -> Record:
    for record in repository.records:
        if record.ident.lower() == ident.lower():
            return record
    raise OaiError("idDoesNotExist", "There is no record of this identifier.")


def _chosen(arguments: Mapping[str, str], repository: Repository) -> list[Record]:
    _check_format(arguments["metadataPrefix"])
    since, until = _moment(arguments.get("from"), end=False), _moment(arguments.get("until"), end=True)
    if "from" in arguments and "until" in arguments:
        if len(arguments["from"]) != len(arguments["until"]):
            raise OaiError("badArgument", "from and until are written to the same precision.")
        if since is not None and until is not None and since > until:
            raise OaiError("badArgument", "from is later than until.")
    found = [
        record
        for record in repository.records
        if (since is None or record.updated >= since)
        and (until is None or record.updated <= until)
        and arguments.get("set", MANAGED) == MANAGED
    ]
    if not found:
        raise OaiError("noRecordsMatch", "No record changed then, or there is no such set.")
    return found


def _moment(text: str | None, *, end: bool) -> datetime | None:
    """Moment of an argument; the last of a day, or of a second, for the end of a range."""
    if text is None:
        return None
    day = _DAY.fullmatch(text) is not None
    try:
        if not day and not _SECOND.fullmatch(text):
            raise ValueError
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise OaiError("badArgument", "Dates are written YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ.") from None
    if not end:
        return moment
    return moment + (timedelta(days=1) if day else timedelta(seconds=1)) - timedelta(microseconds=1)


def _header(record: Record) -> Markup:
    return element(
        "oai:header",
        None,
        element("oai:identifier", None, record.ident),
        element("oai:datestamp", None, _stamp(record.updated)),
        element("oai:setSpec", None, MANAGED),
    )


def _written(record: Record, prefix: str) -> Markup:
    body = record.resource if prefix == "ivo_vor" else _dublin_core(record)
    return element("oai:record", None, _header(record), element("oai:metadata", None, body))


def _dublin_core(record: Record) -> Markup:
    return element(
        "oai_dc:dc",
        {
            "xmlns:oai_dc": "http://www.openarchives.org/OAI/2.0/oai_dc/",
            "xmlns:dc": "http://purl.org/dc/elements/1.1/",
            "xsi:schemaLocation": "http://www.openarchives.org/OAI/2.0/oai_dc/"
            " http://www.openarchives.org/OAI/2.0/oai_dc.xsd",
        },
        element("dc:title", None, record.title),
        element("dc:description", None, record.description),
        element("dc:identifier", None, record.ident),
        element("dc:relation", None, record.address),
        element("dc:date", None, _stamp(record.updated)),
    )
