"""A log file that is turned over when it is full."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import BinaryIO


class RotatingLog:
    """Output of one process, in a bounded number of bounded files.

    Parameters
    ----------
    path : Path
        The file; the older ones are ``path.1`` (newest) to ``path.N``.
    max_bytes : int
        Size at which the file is turned over, at the next end of a line.
    keep : int
        How many older files are kept.
    tail_lines : int
        How many last lines are held in memory for error messages.
    """

    def __init__(
        self, path: Path, *, max_bytes: int = 8_000_000, keep: int = 3, tail_lines: int = 20
    ) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._tail: deque[bytes] = deque(maxlen=tail_lines)
        self._partial = b""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("ab")
        self._size = self._file.tell()

    def write(self, chunk: bytes) -> None:
        """Append output as it came; it may begin and end within a line."""
        self._remember(chunk)
        if self._size + len(chunk) > self._max_bytes:
            cut = chunk.find(b"\n") + 1
            if cut or self._size > 2 * self._max_bytes:
                self._append(chunk[:cut])
                self._turn_over()
                chunk = chunk[cut:]
        self._append(chunk)

    def _append(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self._file.flush()
        self._size += len(chunk)

    def _remember(self, chunk: bytes) -> None:
        lines = (self._partial + chunk).split(b"\n")
        self._tail.extend(lines[:-1])
        # A line without end must not fill the memory.
        self._partial = lines[-1][-4096:]

    def _turn_over(self) -> None:
        self._file.close()
        for number in range(self._keep - 1, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            if older.exists():
                older.replace(self.path.with_name(f"{self.path.name}.{number + 1}"))
        if self._keep > 0:
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        self._file = self.path.open("wb")
        self._size = 0

    def tail(self) -> str:
        """The last lines, for a message."""
        lines = [*self._tail, self._partial] if self._partial else list(self._tail)
        return b"\n".join(lines).decode("utf-8", "replace")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
