"""Parameters and files of a request, bounded while they arrive."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from tempfile import SpooledTemporaryFile

import httpx
import pytest
from starlette import formparsers
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from web.bodies import BodyError
from web.vo.tap.parameters import Parameters, read_parameters

LARGEST = 2_000_000


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A server that says what it read, and keeps files in the folder of the test."""

    async def read(request: Request) -> JSONResponse:
        try:
            found = await read_parameters(request, tmp_path / "spool", LARGEST, 1000)
        except HTTPException as error:
            return JSONResponse({"error": error.detail}, error.status_code)
        files = {name: path.read_bytes()[:10].decode("latin-1") for name, path in found.files.items()}
        return JSONResponse({"items": found.items, "files": files})

    app = Starlette(routes=[Route("/", read, methods=["GET", "POST"])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tap") as found:
        yield found


async def test_names_are_read_in_any_case_and_files_are_kept(client):
    answer = await client.post(
        "/?lang=ADQL",
        data={"Query": "SELECT 'ä'", "upload": "a,param:up"},
        files={"up": ("x.vot", b"<VOTABLE")},
    )
    assert answer.json() == {
        "items": [["LANG", "ADQL"], ["QUERY", "SELECT 'ä'"], ["UPLOAD", "a,param:up"]],
        "files": {"up": "<VOTABLE"},
    }


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"content": b"QUERY=" + b"x" * 2_000_000}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        ({"content": b"QUERY=%ff"}, HTTPStatus.BAD_REQUEST),
        ({"content": b"&".join(b"a=1" for _ in range(300))}, HTTPStatus.BAD_REQUEST),
        ({"content": b"QUERY=a%00b"}, HTTPStatus.BAD_REQUEST),
        ({"content": b"QU%00ERY=a"}, HTTPStatus.BAD_REQUEST),
        (
            {
                "content": b'--x\r\nContent-Disposition: form-data; name="QUERY"\r\n\r\n\\ud800\r\n--x--\r\n',
                "headers": {"content-type": "multipart/form-data; boundary=x; charset=unicode_escape"},
            },
            HTTPStatus.BAD_REQUEST,
        ),
        (
            {
                "content": b'--x\r\nContent-Disposition: form-data; name="\\ud800"; filename="a"\r\n\r\n1\r\n--x--\r\n',
                "headers": {"content-type": "multipart/form-data; boundary=x; charset=unicode_escape"},
            },
            HTTPStatus.BAD_REQUEST,
        ),
        ({"files": {"up": ("x", b"x" * 4_000_000)}}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        # A part without a name of a file is held in memory, and may be no larger either.
        ({"files": {"up": (None, b"x" * 2_500_000)}}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        ({"files": [("up", ("a", b"1")), ("up", ("b", b"2"))]}, HTTPStatus.BAD_REQUEST),
        ({"json": {"QUERY": "x"}}, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
        (
            {"content": b"not parts at all", "headers": {"content-type": "multipart/form-data; boundary=x"}},
            HTTPStatus.BAD_REQUEST,
        ),
    ],
)
async def test_what_cannot_be_read_or_is_too_much_is_refused(client, sent, status, tmp_path):
    if "content" in sent and "headers" not in sent:
        sent = {**sent, "headers": {"content-type": "application/x-www-form-urlencoded"}}
    answer = await client.post("/", **sent)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert list(tmp_path.glob("spool/*")) == [], "nothing is left of what was refused"


async def test_an_upload_that_never_ends_is_cut_off(client):
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="up"; filename="a"\r\n\r\n'
        while True:
            sent += 100_000
            yield b"x" * 100_000

    answer = await client.post(
        "/", content=endless(), headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert sent < 2 * LARGEST


@pytest.mark.parametrize(
    "end", [b"x" * 4_000_000, BodyError(HTTPStatus.REQUEST_TIMEOUT, "."), CancelledError()]
)
async def test_files_of_a_form_that_breaks_off_are_closed(monkeypatch, tmp_path, end):
    files = []

    class Watched(SpooledTemporaryFile):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            files.append(self)

    async def parts(*_args) -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="one"; filename="a"\r\n\r\n1\r\n--x\r\n'
        yield b'Content-Disposition: form-data; name="two"; filename="b"\r\n\r\n22'
        if isinstance(end, BaseException):
            raise end
        yield end

    async def receive():
        piece = await anext(sent, b"")
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    sent = parts()
    monkeypatch.setattr(formparsers, "SpooledTemporaryFile", Watched)
    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    request = Request({"type": "http", "method": "POST", "headers": headers, "query_string": b""}, receive)
    with pytest.raises((BodyError, CancelledError)):
        await read_parameters(request, tmp_path, LARGEST, 1000)
    assert [file.closed for file in files] == [True, True]


def test_a_parameter_may_be_repeated_if_it_says_the_same():
    found = Parameters([("LANG", "ADQL"), ("LANG", "ADQL"), ("FORMAT", ""), ("FORMAT", "csv")])
    assert (found.one("LANG"), found.one("FORMAT"), found.one("MAXREC")) == ("ADQL", "csv", None)
