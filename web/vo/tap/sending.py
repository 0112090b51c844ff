"""Answers that are written while they are sent: begun before their status is told, ended when nobody listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from paws.log import get_logger

log = get_logger(__name__)

_WHOLE: Final = 32_768
"""Bytes: a first piece that is shorter is usually the only one, and can be sent with its length."""


class Streamed(Response):
    """An answer made of pieces.

    The first piece is awaited before anything is sent, so what fails until then is still an error with a status.

    Parameters
    ----------
    pieces
        Of the answer; closed in any case, also when the client goes away.
    deadline
        Seconds until all is sent; after that the connection is broken off.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[bytes, None],
        media_type: str,
        deadline: float,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(None, 200, {"Cache-Control": "no-store", **(headers or {})})
        del self.headers["content-length"]
        self.headers["content-type"] = media_type
        self._pieces = pieces
        self._deadline = deadline

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        work = asyncio.create_task(self._send(send))
        gone = asyncio.create_task(_gone(receive))
        try:
            done, _ = await asyncio.wait(
                {work, gone}, timeout=self._deadline, return_when=asyncio.FIRST_COMPLETED
            )
            if work in done:
                work.result()
            elif gone not in done:
                raise TimeoutError(f"the answer was not sent within {self._deadline:.0f} s")
        finally:
            for task in (work, gone):
                task.cancel()
            for task in (work, gone):
                # What it raised was told above, or nobody is there to be told.
                with suppress(asyncio.CancelledError, Exception):
                    await task

    async def _send(self, send: Send) -> None:
        async with aclosing(self._pieces) as pieces:
            first = await anext(pieces, b"")
            second = await anext(pieces, None) if len(first) < _WHOLE else b""
            if second is None:
                self.headers["content-length"] = str(len(first))
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            await send({"type": "http.response.body", "body": first, "more_body": second is not None})
            if second is None:
                return
            await send({"type": "http.response.body", "body": second, "more_body": True})
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
