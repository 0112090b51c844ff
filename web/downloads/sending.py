"""Sending something large in constant memory: one block of a file at a time, as fast as the client takes it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from paws.log import get_logger
from web.downloads.archive import Layout, Part
from web.downloads.ranges import Wanted, wanted

log = get_logger(__name__)

BLOCK: Final = 1 << 18
"""Bytes that a download holds in memory."""

PATIENCE: Final = 120.0
"""Seconds in which a client must take a block. One that takes longer is let go; it can resume."""


class TornError(Exception):
    """A file is not what it was when the download was laid out. What was sent so far is right; no more is sent."""


class Sending(Response):
    """Answer with a layout, or the range of it that the client asked for.

    Nothing but this block of bytes and an open file is held while the client is slow: no thread, no database
    connection.
    """

    def __init__(
        self, layout: Layout, request_headers: Headers, media_type: str, headers: Mapping[str, str]
    ) -> None:
        self._layout = layout
        self._wanted: Wanted = wanted(
            layout.size, layout.etag, request_headers.get("range"), request_headers.get("if-range")
        )
        told = {
            **headers,
            "ETag": layout.etag,
            "Accept-Ranges": "bytes",
            **self._wanted.headers(layout.size),
        }
        super().__init__(None, int(self._wanted.status), told, media_type)
        self.headers["Content-Length"] = told["Content-Length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        start: Message = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        await send(start)
        if scope["method"] == "HEAD" or self._wanted.start >= self._wanted.end:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        gone = asyncio.create_task(_gone(receive), name="client gone")
        try:
            await self._send_blocks(send, gone)
        except (TornError, TimeoutError, OSError) as error:
            # The length was promised: the server ends the connection, and the client knows that something lacks.
            reason = "the client takes nothing" if isinstance(error, TimeoutError) else str(error)
            log.warning("download ended", path=scope["path"], reason=reason)
        finally:
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone

    async def _send_blocks(self, send: Send, gone: asyncio.Task[None]) -> None:
        left = self._wanted.end - self._wanted.start
        for part in self._layout.parts(self._wanted.start, self._wanted.end):
            reader = _Reader(part)
            try:
                while block := await reader.block():
                    left -= len(block)
                    message = {"type": "http.response.body", "body": block, "more_body": left > 0}
                    await asyncio.wait_for(send(message), PATIENCE)
                    if gone.done():
                        return
            finally:
                reader.close()


async def _gone(receive: Receive) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


class _Reader:
    """Part of a piece, block by block."""

    def __init__(self, part: Part) -> None:
        self._source = part.source
        self._offset = part.offset
        self._end = part.offset + part.length
        self._descriptor: int | None = None

    async def block(self) -> bytes:
        """The next bytes; none at the end.

        Raises
        ------
        TornError
            If the file has become shorter, or has gone.
        """
        length = min(BLOCK, self._end - self._offset)
        if length <= 0:
            return b""
        if isinstance(self._source, bytes):
            found = self._source[self._offset : self._offset + length]
        else:
            found = await asyncio.to_thread(self._read, self._source, length)
        if not found:
            raise TornError(f"{self._source!s} has become shorter")
        self._offset += len(found)
        return found

    def _read(self, path: Path, length: int) -> bytes:
        if self._descriptor is None:
            try:
                self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            except OSError as error:
                raise TornError(f"{path} cannot be opened: {error.strerror}") from error
        return os.pread(self._descriptor, length, self._offset)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
