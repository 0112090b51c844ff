"""How far publishing a table is, on the terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class Bar:
    """A line that tells the stage and the rows; nothing where the output is no terminal, or nobody wants it."""

    def __init__(self, name: str, quiet: bool) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[done]}"),
            TimeElapsedColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
            transient=True,
        )
        self._name = name
        self._task: TaskID = self._progress.add_task(name, total=None, done="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def step(self, stage: str, rows: int) -> None:
        """Tell the stage, and the rows that are in."""
        self._progress.update(
            self._task, description=f"{self._name}: {stage}", done=f"{rows:,} rows" if rows else ""
        )

    def bytes(self, done: int) -> None:
        """Tell the bytes that have been fetched."""
        self._progress.update(self._task, description=f"{self._name}: fetching", done=f"{done / 1e6:.1f} MB")
