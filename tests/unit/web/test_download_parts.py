"""Ranges, names, questions, sending: each one idea, each a table."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from starlette.datastructures import Headers

from web.downloads import sending
from web.downloads.archive import layout_of
from web.downloads.choice import Content, DownloadQuestion, folder_name
from web.downloads.digests import digest_of
from web.downloads.members import Download, FileKind, Member, beside, distinct, safe_name
from web.downloads.ranges import wanted
from web.downloads.sending import Sending
from web.downloads.texts import script

TAG = '"t"'


@pytest.mark.parametrize(
    ("range_header", "if_range", "status", "start", "end"),
    [
        (None, None, 200, 0, 1000),
        ("bytes=0-99", None, 206, 0, 100),
        ("bytes=900-", None, 206, 900, 1000),
        ("bytes=-100", None, 206, 900, 1000),
        ("bytes=-5000", None, 206, 0, 1000),
        ("bytes=0-99999", None, 206, 0, 1000),
        ("bytes=999-999", None, 206, 999, 1000),
        (" bytes = 5 - 9 ", None, 206, 5, 10),
        ("bytes=1000-", None, 416, 0, 0),
        ("bytes=5000-6000", None, 416, 0, 0),
        ("bytes=-0", None, 416, 0, 0),
        ("bytes=9-5", None, 200, 0, 1000),
        ("bytes=0-1,5-6", None, 200, 0, 1000),
        ("bytes=-", None, 200, 0, 1000),
        ("bytes=a-b", None, 200, 0, 1000),
        ("items=0-1", None, 200, 0, 1000),
        ("bytes=0-" + "9" * 400, None, 200, 0, 1000),
        ("bytes=100-", TAG, 206, 100, 1000),
        ("bytes=100-", '"other"', 200, 0, 1000),
        ("bytes=100-", f"W/{TAG}", 200, 0, 1000),
        ("bytes=100-", "Thu, 12 Mar 2026 14:30:20 GMT", 200, 0, 1000),
    ],
)
def test_range(range_header: str | None, if_range: str | None, status: int, start: int, end: int) -> None:
    found = wanted(1000, TAG, range_header, if_range)

    assert (found.status, found.start, found.end) == (status, start, end)
    told = found.headers(1000)
    assert told["Content-Length"] == str(end - start)
    if status == 206:
        assert told["Content-Range"] == f"bytes {start}-{end - 1}/1000"
    if status == 416:
        assert told["Content-Range"] == "bytes */1000"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("p1/580V/s1/20260312-F-p1/OBJ0011red.fits", "p1/580V/s1/20260312-F-p1/OBJ0011red.fits"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("..\\..\\windows\\win.ini", "windows/win.ini"),
        ("a/./b//c", "a/b/c"),
        ("a\r\nSet-Cookie: x/b.fits", "a_Set-Cookie_x/b.fits"),
        ('a"; rm -rf $HOME `id`/b.fits', "a_rm_-rf_HOME_id/b.fits"),
        ("-rf/--checkpoint.fits", "rf/checkpoint.fits"),
        ("...", "unknown"),
        ("", "unknown"),
        ("\u202etsil.fits", "tsil.fits"),
    ],
)
def test_names_stay_below_their_folder(path: str, name: str) -> None:
    assert safe_name(path) == name


def test_files_beside_a_product() -> None:
    assert beside("p1/OBJ0008red.fits", ".pdf") == "p1/OBJ0008red.pdf"
    assert beside("p1/OBJ0008red.fits", ".log", 2) == "p1/OBJ0008red-v2.log"


def member(name: str, content: bytes = b"x") -> Member:
    return Member(name, FileKind.TEXT, len(content), 0, digest_of(content), content)


def test_no_two_files_have_one_name() -> None:
    names = ["a.fits", "A.fits", "a.fits", "sha256sums", "MISSING.txt", "a-2.fits"]

    found = [one.name for one in distinct(member(name) for name in names)]

    assert found == ["a.fits", "A-2.fits", "a-3.fits", "sha256sums-2", "MISSING-2.txt", "a-2-2.fits"]
    assert len({name.lower() for name in found}) == len(found)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"product": ("a",), "night": "20260312"},
        {"night": "20260312", "request": "0" * 16},
        {"product": tuple(f"p{number}" for number in range(201))},
        {"product": ("a/b",)},
        {"product": ("a\x00b",)},
        {"night": "2026"},
        {"field": "a\nb"},
        {"night": "20260312", "content": "all"},
        {"request": "../../etc"},
    ],
)
def test_questions_that_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DownloadQuestion.model_validate(values)


def test_question_as_an_address() -> None:
    ask = DownloadQuestion(night="20260312", field="A&B=1", pdfs=False)

    assert ask.query() == "night=20260312&field=A%26B%3D1&content=reduced&pdfs=false"
    assert ask.query(content=Content.RAW).endswith("content=raw&pdfs=false")


@pytest.mark.parametrize(
    ("values", "paths", "name"),
    [
        ({"night": "20260312", "field": "../F <x>"}, ["a.fits"], "paws-20260312-.._F_x-reduced"),
        ({"product": ("x",)}, ["p1/OBJ0008red.fits"], "paws-OBJ0008red-reduced"),
        ({"product": ("x", "y"), "content": "raw"}, ["a.fits", "b.fits"], "paws-2-products-raw"),
        ({"request": "0123456789abcdef"}, ["a.fits"], "paws-request-0123456789abcdef-reduced"),
    ],
)
def test_name_of_a_download(values: dict[str, Any], paths: list[str], name: str) -> None:
    assert folder_name(DownloadQuestion(**values), paths) == name


def test_script_quotes_what_it_is_given() -> None:
    download = Download("paws-x", (member("a.fits"),))

    text = script(download, "https://paws.example.org/$(id)", "night=1&field='; id #")

    assert "base=${PAWS_URL:-'https://paws.example.org/$(id)'}" in text
    assert "query='night=1&field='\"'\"'; id #'" in text
    assert "@" not in text.replace("$@", "")


def test_script_without_an_address_asks_for_it() -> None:
    assert "base=${PAWS_URL:?" in script(Download("paws-x", ()), None, "night=1")


Sent = list[dict[str, Any]]


async def send_all(
    answer: Sending, receive: Callable[[], Awaitable[dict[str, Any]]] | None = None
) -> tuple[Sent, int]:
    """Everything that is sent, without its bodies, and the number of their bytes."""
    messages: Sent = []
    size = 0

    async def never() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def send(message: Any) -> None:
        nonlocal size
        size += len(message.get("body", b""))
        messages.append({name: value for name, value in message.items() if name != "body"})

    scope = {"type": "http", "method": "GET", "path": "/downloads/archive.tar"}
    await answer(scope, receive or never, send)  # type: ignore[arg-type]  # dicts are messages
    return messages, size


def large(tmp_path: Path, size: int) -> Sending:
    path = tmp_path / "large"
    with path.open("wb") as stream:
        stream.truncate(size)
    layout = layout_of([b"head", (path, size), b"tail"], TAG)
    return Sending(layout, Headers({}), "application/x-tar", {})


async def test_sending_takes_the_memory_of_a_block(tmp_path: Path) -> None:
    size = 400_000_000
    answer = large(tmp_path, size)
    tracemalloc.start()
    try:
        messages, sent = await send_all(answer)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert sent == size + 8
    assert messages[-1]["more_body"] is False
    assert peak < 16 * sending.BLOCK


async def test_client_that_takes_nothing_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "PATIENCE", 0.05)
    bodies = 0

    async def send(message: Any) -> None:
        nonlocal bodies
        if message["type"] == "http.response.body":
            bodies += 1
            if bodies == 3:
                await asyncio.Event().wait()

    async def receive() -> Any:
        await asyncio.Event().wait()

    await asyncio.wait_for(
        large(tmp_path, 50_000_000)({"type": "http", "method": "GET", "path": "/x"}, receive, send), 60
    )
    assert bodies == 3


async def test_nothing_is_read_for_a_client_that_is_gone(tmp_path: Path) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    _messages, sent = await send_all(large(tmp_path, 50_000_000), receive)
    assert sent < 4 * sending.BLOCK


async def test_file_that_became_shorter_ends_the_answer_early(tmp_path: Path) -> None:
    answer = large(tmp_path, 3_000_000)
    (tmp_path / "large").write_bytes(b"short")

    messages, sent = await send_all(answer)

    assert sent == len(b"head") + 5
    assert messages[-1]["more_body"] is True, "the promised length was not reached, and that is not hidden"


async def test_head_sends_no_body(tmp_path: Path) -> None:
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> Any:
        await asyncio.Event().wait()

    await large(tmp_path, 1000)({"type": "http", "method": "HEAD", "path": "/x"}, receive, send)

    assert [message["type"] for message in messages] == ["http.response.start", "http.response.body"]
    assert messages[1]["body"] == b""
    assert (b"content-length", b"1008") in messages[0]["headers"]
