"""The form that uploads a table, taken apart while it arrives: its files go straight to where they stay.

Nothing is kept in memory or in a folder for temporary files. The proof that a page of ours sent the form comes before
the files, so that nobody fills the disk from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from web.bodies import BrokenFormError, TooLargeError

_LONGEST_FIELD: Final = 20_000
_MOST_PARTS: Final = 20
_LONGEST_HEADER: Final = 2_000
ADVICE: Final = "Send the table compressed, or fewer columns or rows; PAWS_TAP_PUBLISH_SIZE and quotas say how much is taken."


@dataclass
class FormReader:
    """Takes a form apart.

    Parameters
    ----------
    boundary
        What parts its parts.
    files
        Where the files of its fields go, and how many bytes each may have; others are refused.
    before_files
        Called with the fields so far before the first file is taken; raises to refuse it.
    """

    boundary: bytes
    files: Mapping[str, tuple[Path, int]]
    before_files: Callable[[Mapping[str, str]], None]
    fields: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """Names that the files have at whoever sent them; files without content are left out."""
    complete: bool = False

    def __post_init__(self) -> None:
        self._parts = 0
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._disposition = b""
        self._name = ""
        self._told: str | None = None
        self._text = bytearray()
        self._file: IO[bytes] | None = None
        self._size = 0
        self._parser = MultipartParser(
            self.boundary,
            {
                "on_part_begin": self._part_begin,
                "on_part_data": self._part_data,
                "on_part_end": self._part_end,
                "on_header_field": lambda data, start, end: self._header_data(0, data, start, end),
                "on_header_value": lambda data, start, end: self._header_data(1, data, start, end),
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_end": self._end,
            },
        )

    def write(self, data: bytes) -> None:
        """Take what has come.

        Raises
        ------
        BodyError
            If it cannot be read or is too large.
        Whatever `before_files` raises
            If it is refused.
        """
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise BrokenFormError(str(error)[:200]) from error

    def close(self) -> None:
        """Close the file that is being written."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _part_begin(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise BrokenFormError("it has too many fields")
        self._disposition, self._header = b"", (bytearray(), bytearray())
        self._name, self._told, self._size = "", None, 0
        self._text.clear()

    def _header_data(self, which: int, data: bytes, start: int, end: int) -> None:
        self._header[which].extend(data[start:end])
        if len(self._header[which]) > _LONGEST_HEADER:
            raise BrokenFormError("a header is too long")

    def _header_end(self) -> None:
        name, value = (bytes(part) for part in self._header)
        if name.lower() == b"content-disposition":
            self._disposition = value
        self._header = (bytearray(), bytearray())

    def _headers_finished(self) -> None:
        _kind, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode(errors="replace")
        if b"filename" not in options:
            return
        if self._name not in self.files or self._name in self.names:
            raise BrokenFormError(f"there is no file {self._name[:40]!r}, or two of them")
        self.before_files(self.fields)
        self._told = options[b"filename"].decode(errors="replace")
        self._file = self.files[self._name][0].open("wb")

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._file is None:
            if self._size > _LONGEST_FIELD:
                raise BrokenFormError("a field is too long")
            self._text.extend(data[start:end])
            return
        most = self.files[self._name][1]
        if self._size > most:
            raise TooLargeError(most, ADVICE)
        self._file.write(memoryview(data)[start:end])

    def _part_end(self) -> None:
        if self._file is not None:
            self.close()
            if self._size:
                self.names[self._name] = self._told or ""
            return
        try:
            value = self._text.decode()
        except UnicodeDecodeError as error:
            raise BrokenFormError("it is not UTF-8") from error
        if "\0" in value:
            raise BrokenFormError("it holds NUL")
        self.fields.setdefault(self._name, value)

    def _end(self) -> None:
        self.complete = True
