"""The head of a VOTable: its columns, and where the rows begin. Read by expat, which is told to refuse entities.

The rows themselves are none of expat's business: they are found by their place in the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from xml.parsers import expat

from adql.catalogue import Column
from paws.vo.reading.limits import Limits, TableFileError
from paws.vo.reading.types import tidy

_CHUNK: Final = 65_536
_DEEPEST: Final = 64
_LONGEST_TEXT: Final = 20_000
_ROWS: Final = {"TABLEDATA", "BINARY", "BINARY2", "FITS"}
_DATATYPES: Final = {
    "boolean": "boolean",
    "unsignedByte": "short",
    "short": "short",
    "int": "int",
    "long": "long",
    "char": "char",
    "unicodeChar": "unicodeChar",
    "float": "float",
    "double": "double",
    "bit": "boolean",
    "floatComplex": "float",
    "doubleComplex": "double",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A column as the file declares it.

    Attributes
    ----------
    datatype, arraysize
        The file's own, which say how cells are stored; `column` has what they are kept as.
    null
        The text that stands for NULL, if one does.
    """

    column: Column
    datatype: str
    arraysize: str
    null: str | None


@dataclass(slots=True)
class Head:
    """What is known before the first row.

    Attributes
    ----------
    serialisation
        TABLEDATA, BINARY, BINARY2, or empty if the table has no data.
    encoding
        Of a stream.
    start
        Place of the first byte of the rows.
    """

    fields: list[Field] = field(default_factory=list)
    serialisation: str = ""
    encoding: str = ""
    href: str = ""
    start: int = 0
    name: str = ""
    description: str = ""


class _Found(Exception):  # noqa: N818 - no error: ends the parser where the rows begin
    """The rows begin."""


class _Listener:
    """Listens to expat until the first row of the first table that has rows."""

    def __init__(self, limits: Limits) -> None:
        self.head = Head()
        self.limits = limits
        self.path: list[str] = []
        self.text: list[str] = []
        self.attributes: dict[str, str] = {}
        self.null: str | None = None
        self.field_text = ""
        self.length = 0
        self.beginning = False
        self.parser = expat.ParserCreate(None, " ")
        # Not buffered: the place of an event is then where it stands in the file.
        self.parser.buffer_text = False
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.DefaultHandler = self._other
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self.parser.ExternalEntityRefHandler = self._refuse

    def _refuse(self, *_: Any) -> int:
        raise TableFileError("The VOTable has a document type or entities of its own, which are not read.")

    def _at_rows(self) -> None:
        if self.beginning:
            self.head.start = self.parser.CurrentByteIndex
            raise _Found

    def _other(self, _: str) -> None:
        self._at_rows()

    def _start(self, full: str, attributes: dict[str, str]) -> None:
        self._at_rows()
        name = full.rpartition(" ")[2]
        self.path.append(name)
        if len(self.path) > _DEEPEST:
            raise TableFileError(f"The VOTable has elements in one another more than {_DEEPEST} deep.")
        if len(self.path) == 1 and name != "VOTABLE":
            raise TableFileError(f"The file is XML, but no VOTable: it begins with <{name[:60]}>.")
        self.text, self.length = [], 0
        if name == "TABLE":
            self.head = Head(name=attributes.get("name", "")[:200])
        elif name == "FIELD":
            self.attributes, self.null, self.field_text = attributes, None, ""
        elif name == "VALUES" and self.path[-2] == "FIELD":
            self.null = attributes.get("null")
        elif name in _ROWS and "TABLE" in self.path:
            self.head.serialisation = name
            self.beginning = name == "TABLEDATA"
        elif name == "STREAM":
            self.head.encoding = attributes.get("encoding", "").lower()
            self.head.href = attributes.get("href", "")
            self.beginning = True

    def _end(self, full: str) -> None:
        self._at_rows()
        name = self.path.pop()
        text = " ".join("".join(self.text).split())
        if name == "DESCRIPTION" and self.path[-1:] == ["FIELD"]:
            self.field_text = text
        elif name == "DESCRIPTION" and self.path[-1:] == ["TABLE"]:
            self.head.description = text
        elif name == "FIELD" and self.path[-1:] == ["TABLE"]:
            self.head.fields.append(_field(self.attributes, self.null, self.field_text))
            self.limits.check_columns(len(self.head.fields))
        elif name == "TABLE" and self.head.fields:
            raise _Found

    def _characters(self, data: str) -> None:
        self._at_rows()
        if self.length < _LONGEST_TEXT:
            self.text.append(data)
            self.length += len(data)


def _field(attributes: dict[str, str], null: str | None, description: str) -> Field:
    name = attributes.get("name") or attributes.get("ID", "")
    datatype = attributes.get("datatype", "")
    size = attributes.get("arraysize", "").strip()
    kept = _DATATYPES.get(datatype)
    if kept is None:
        raise TableFileError(
            f"Column {name[:80]!r} has the datatype {datatype[:40]!r}, which VOTable does not know.",
            column=name,
        )
    for dimension in size.removesuffix("*").removesuffix("x").split("x") if size != "*" else ():
        if dimension and not (dimension.isascii() and dimension.isdecimal() and len(dimension) < 10):
            raise TableFileError(
                f"Column {name[:80]!r} has the arraysize {size[:40]!r}, which is none.", column=name
            )
    arraysize: str | None = size or None
    if kept in ("char", "unicodeChar") and size and "x" in size:
        arraysize = "*"
    if datatype.endswith("Complex"):
        arraysize = "*" if size and size != "1" else "2"
    if datatype == "bit" and size and size != "1":
        arraysize = "*"
    column = Column(
        name,
        kept,
        arraysize,
        attributes.get("xtype") or None,
        attributes.get("unit") or None,
        attributes.get("ucd") or None,
        attributes.get("utype") or None,
        description,
    )
    return Field(tidy(column), datatype, size, null)


def read_head(data: Any, limits: Limits) -> Head:
    """Read a VOTable as far as its first row.

    Parameters
    ----------
    data
        The file's bytes, or a map of them.

    Raises
    ------
    TableFileError
        If it is no VOTable, has entities or a document type, or no table.
    """
    listener = _Listener(limits)
    try:
        for start in range(0, len(data), _CHUNK):
            listener.parser.Parse(data[start : start + _CHUNK], False)
        listener.parser.Parse(b"", True)
    except _Found:
        return listener.head
    except expat.ExpatError as error:
        raise TableFileError(f"The VOTable is no sound XML: {error}.") from error
    except (LookupError, ValueError) as error:
        # Python's expat takes encodings of one byte a letter, and fails over all others.
        raise TableFileError("The VOTable is in an encoding that is not read; save it in UTF-8.") from error
    raise TableFileError("The VOTable holds no table.")
