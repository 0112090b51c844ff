"""The formats of results: their names, media types and identifiers, and which of them a client means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from paws.errors import InvalidInputError

_IVO = "ivo://ivoa.net/std/TAPRegExt#output-"
VOTABLE: Final = "application/x-votable+xml"


class Writer(Enum):
    """Ways of writing; each has a module of its own."""

    TABLEDATA = "tabledata"
    BINARY = "binary"
    BINARY2 = "binary2"
    CSV = "csv"
    TSV = "tsv"
    FITS = "fits"
    JSON = "json"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Format:
    """A format as capabilities declare it.

    Attributes
    ----------
    writer
        How it is written.
    media_type
        As it is declared, and sent as ``Content-Type`` unless the client asked by another of its types.
    aliases
        Short names and further media types that mean it. The first is for addresses and file names.
    ivo_id
        Identifier in the TAP registry extension, where it has one.
    suffix
        Of files.
    """

    writer: Writer
    media_type: str
    aliases: tuple[str, ...]
    suffix: str
    ivo_id: str | None = None

    @property
    def short_name(self) -> str:
        """Short name."""
        return self.aliases[0]

    @property
    def is_votable(self) -> bool:
        """Whether it is a VOTable: errors then are VOTables of the same kind."""
        return self.writer in (Writer.TABLEDATA, Writer.BINARY, Writer.BINARY2)


@dataclass(frozen=True, slots=True)
class Choice:
    """A format, and the media type that the client knows it by."""

    format: Format
    content_type: str


FORMATS: Final[tuple[Format, ...]] = (
    Format(
        Writer.TABLEDATA,
        f"{VOTABLE};serialization=TABLEDATA",
        ("votable", "votable/td", VOTABLE, "text/xml", "application/xml", "application/x-votable"),
        ".vot",
        f"{_IVO}votable-td",
    ),
    Format(
        Writer.BINARY2,
        f"{VOTABLE};serialization=BINARY2",
        ("votable/b2", "binary2"),
        ".vot",
        f"{_IVO}votable-binary2",
    ),
    Format(
        Writer.BINARY,
        f"{VOTABLE};serialization=BINARY",
        ("votable/b", "binary"),
        ".vot",
        f"{_IVO}votable-binary",
    ),
    Format(Writer.CSV, "text/csv;header=present", ("csv", "text/csv"), ".csv"),
    Format(Writer.TSV, "text/tab-separated-values", ("tsv",), ".tsv"),
    Format(Writer.FITS, "application/fits", ("fits", "image/fits"), ".fits"),
    Format(Writer.JSON, "application/json", ("json",), ".json"),
    Format(
        Writer.PARQUET,
        "application/vnd.apache.parquet",
        ("parquet", "application/x-parquet", "application/parquet"),
        ".parquet",
    ),
)
"""All formats, the default first: every client of VOTables reads TABLEDATA, those of browsers nothing else."""
DEFAULT: Final = FORMATS[0]
_LONGEST: Final = 200


def _parsed(name: str) -> tuple[str, dict[str, str]]:
    """Media type in lower case, and its parameters; quotes and spaces do not matter."""
    base, *rest = (part.strip() for part in name.split(";"))
    pairs = (part.partition("=") for part in rest if part)
    return base.lower(), {key.strip().lower(): value.strip().strip("\"'").lower() for key, _, value in pairs}


_BY_NAME: Final = {
    (_parsed(name)[0], tuple(sorted(_parsed(name)[1].items()))): format_
    for format_ in FORMATS
    for name in (format_.media_type, *format_.aliases)
}
_TELLING: Final = {"serialization", "header"}
"""Parameters that choose among formats; others (charset, content, version) travel with the type."""


def named(name: str) -> Format | None:
    """Format of a short name or media type; its parameters in any order and spelling."""
    base, parameters = _parsed(name)
    telling = tuple(sorted((key, value) for key, value in parameters.items() if key in _TELLING))
    return _BY_NAME.get((base, telling))


def _content_type(name: str, format_: Format) -> str:
    """What to answer with: the very type that was asked for, if it is one and harmless to repeat."""
    base, parameters = _parsed(name)
    if "/" not in base or base.startswith("votable/") or base == "text/csv":
        return VOTABLE if format_ is DEFAULT else format_.media_type
    content = parameters.get("content")
    if format_.is_votable and base == VOTABLE and content == "datalink":
        return f"{VOTABLE};content=datalink"
    if format_.is_votable and "serialization" not in parameters:
        return base
    return format_.media_type


def choose(asked: str | None, accept: str | None = None) -> Choice:
    """Choose the format of an answer.

    Parameters
    ----------
    asked
        Value of RESPONSEFORMAT (or FORMAT): a short name or a media type.
    accept
        The HTTP header, which only counts where RESPONSEFORMAT is not given; what it names and we do not write is
        passed over, as browsers and libraries send lists there that nobody chose.

    Raises
    ------
    InvalidInputError
        If the format asked for is none of ours.
    """
    if asked is not None and asked.strip():
        # A '+' in an address that was not encoded arrives as a space.
        name = asked.strip().replace("x-votable xml", "x-votable+xml")
        format_ = named(name)
        if format_ is None:
            raise InvalidInputError(
                f"RESPONSEFORMAT {asked[:_LONGEST]!r} is not written here. Take one of"
                f" {', '.join(known.short_name for known in FORMATS)}, or a media type of /capabilities.",
                parameter="RESPONSEFORMAT",
            )
        return Choice(format_, _content_type(name, format_))
    for name in _by_preference(accept or ""):
        if "*" in name:
            break
        format_ = named(name)
        if format_ is not None:
            return Choice(format_, _content_type(name, format_))
    return Choice(DEFAULT, VOTABLE)


def _by_preference(accept: str) -> list[str]:
    """Media types of an Accept header, the most wanted first."""
    weighed = []
    for place, part in enumerate(accept[:2000].split(",")):
        base, parameters = _parsed(part)
        try:
            weight = float(parameters.pop("q", "1"))
        except ValueError:
            weight = 0.0
        if base and weight > 0:
            name = ";".join((base, *(f"{key}={value}" for key, value in parameters.items())))
            weighed.append((-weight, place, name))
    return [name for _, _, name in sorted(weighed)]
