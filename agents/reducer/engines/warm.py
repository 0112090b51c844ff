"""A warm process of the engine ``builtin``: runs one quicklook command after another.

Started as ``python -m agents.reducer.engines.warm PARENT_PID``. It reads one JSON object a line on standard
input, ``{"argv": [...], "cwd": "..."}``, and answers on standard output: ``{"line": "..."}`` for each line that
the command prints, then ``{"exit": status}``. It says ``{"ready": true}`` once the kernels are loaded. It ends
with its input, and the kernel ends it with its parent.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, TextIO, cast

from agents.reducer.engines.base import NICENESS
from paws.embedded.launch import tie_to_parent
from paws.embedded.priority import give_way

FAILURE = 1
"""Exit status of a command that ended in an error nobody expected; its traceback is in the log."""


LONGEST_TEXT = 1 << 16
"""Characters of a line that are passed on. As JSON they may take six times as many bytes, which is below the
limit of the other end."""


class LineWriter(io.TextIOBase):
    """Text stream that sends each finished line as a message."""

    def __init__(self, channel: TextIO) -> None:
        self._channel = channel
        self._pending = ""

    def writable(self) -> bool:
        """Whether one can write: always."""
        return True

    def write(self, text: str) -> int:
        """Take text; send the lines that it completes."""
        *lines, self._pending = (self._pending + text).split("\n")
        for line in lines:
            send(self._channel, {"line": line[:LONGEST_TEXT]})
        return len(text)

    def finish(self) -> None:
        """Send what stands without a line end."""
        if self._pending:
            send(self._channel, {"line": self._pending[:LONGEST_TEXT]})
            self._pending = ""


def send(channel: TextIO, message: dict[str, Any]) -> None:
    """Send one message at once."""
    channel.write(json.dumps(message) + "\n")
    channel.flush()


def carry_out(request: dict[str, Any], channel: TextIO) -> int:
    """Run one command; its exit status."""
    import quicklook.cli

    stdout = LineWriter(channel)
    try:
        status = int(
            quicklook.cli.run(list(request["argv"]), cwd=Path(request["cwd"]), stdout=cast(TextIO, stdout))
        )
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else FAILURE
    except Exception:
        stdout.write(traceback.format_exc())
        status = FAILURE
    stdout.finish()
    return status


def main(parent: int) -> None:
    """Serve commands until the input ends."""
    tie_to_parent(parent, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM):
        # A Ctrl-C reaches the whole terminal; the runner decides what ends when.
        signal.signal(number, signal.SIG_IGN)
    give_way(os.getpid(), NICENESS)
    # What a library prints must not get between the messages.
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    import quicklook

    quicklook.warm()
    send(channel, {"ready": True})
    for line in sys.stdin:
        send(channel, {"exit": carry_out(json.loads(line), channel)})


if __name__ == "__main__":
    main(int(sys.argv[1]))
