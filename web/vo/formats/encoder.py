"""What all writers have in common: something before the rows, the rows by chunks, something after."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from web.vo.formats.cells import Values
from web.vo.formats.values import Described, ResultInfo, shapes_of
from web.vo.formats.xml import Ending


class Encoder(ABC):
    """Writes one result. No I/O but for formats that need a temporary file.

    Attributes
    ----------
    tells_errors
        Whether the format has a place to say that the rows broke off. The answer of one that has none is broken off
        instead, so that the client notices.
    """

    tells_errors: ClassVar[bool] = False

    def __init__(self, columns: Sequence[Described], info: ResultInfo, limit: int | None) -> None:
        self.columns = tuple(columns)
        self.shapes = shapes_of(columns)
        self.info = info
        self.limit = limit

    @abstractmethod
    def head(self) -> bytes:
        """All that stands before the first row."""

    @abstractmethod
    def rows(self, columns: Sequence[Values]) -> bytes:
        """Write some rows, given as columns; there is at least one."""

    @abstractmethod
    def tail(self, ending: Ending) -> Iterator[bytes]:
        """All that stands after the last row."""

    def close(self) -> None:  # noqa: B027 - most writers keep nothing that needs it
        """Give back what was taken, whether or not the result came to its end."""
