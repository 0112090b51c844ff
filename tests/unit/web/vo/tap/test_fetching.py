"""Tables from addresses that visitors choose: what may be reached, and how much may come."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.servers import listening
from web.vo.problems import BadRequestError
from web.vo.tap.fetching import fetch

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
TABLE = b"ra,dec\n1,2\n"


@asynccontextmanager
async def server(*answers: bytes, stays: bool = False) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that gives prepared answers, one a connection, the last again and again; and what it was asked."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answers[min(len(asked), len(answers)) - 1])
        await writer.drain()
        if stays:
            await reader.read()  # until the other side gives up

    async with listening(answer) as port:
        yield port, asked


def whole(body: bytes = TABLE, status: str = "200 OK", *more: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: text/csv", *more]
    return "\r\n".join([*head, "", ""]).encode() + body


def resolving(*addresses: str):
    async def resolve(_host: str, _port: int) -> list[str]:
        return list(addresses)

    return resolve


async def test_a_table_is_fetched_from_the_address_that_the_name_means(tmp_path):
    async with server(whole()) as (port, asked):
        kind = await fetch(
            f"http://tables.example:{port}/a.csv?x=1",
            tmp_path / "t",
            largest=1000,
            deadline=10,
            allowed=LOOPBACK,
            resolver=resolving("127.0.0.1"),
        )
    assert kind == "text/csv"
    assert (tmp_path / "t").read_bytes() == TABLE
    assert asked[0].startswith(b"GET /a.csv?x=1 ")
    assert f"Host: tables.example:{port}".encode() in asked[0]


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",),
        ("10.1.2.3",),
        ("192.168.0.1",),
        ("169.254.169.254",),
        ("0.0.0.0",),
        ("100.64.0.1",),
        ("::1",),
        ("fe80::1%eth0",),
        ("fd00::1",),
        ("::ffff:127.0.0.1",),
        ("64:ff9b::7f00:1",),
        # One of ours among those of others.
        ("93.184.216.34", "127.0.0.1"),
    ],
)
async def test_nothing_is_fetched_from_networks_that_only_we_can_reach(addresses, tmp_path):
    with pytest.raises(BadRequestError) as error:
        await fetch(
            "http://innocent.example/", tmp_path / "t", largest=1, deadline=5, resolver=resolving(*addresses)
        )
    assert "not fetched" in error.value.detail
    # It would map our network for whoever asks.
    assert not any(address in error.value.detail for address in addresses)


@pytest.mark.parametrize(
    "address",
    ["ftp://a.example/", "http://user:secret@a.example/", "http:///x", "http://a.example:0/", "http://[/"],
)
async def test_addresses_that_are_none_are_refused(address, tmp_path):
    with pytest.raises(BadRequestError):
        await fetch(address, tmp_path / "t", largest=1, deadline=5, resolver=resolving("93.184.216.34"))


async def test_what_an_address_leads_on_to_is_looked_at_too(tmp_path):
    async with server(whole(b"", "302 Found", "Location: http://169.254.169.254/latest/")) as (port, _asked):

        async def resolve(host: str, _port: int) -> list[str]:
            return ["127.0.0.1" if host == "tables.example" else host]

        with pytest.raises(BadRequestError, match="not fetched"):
            await fetch(
                f"http://tables.example:{port}/",
                tmp_path / "t",
                largest=1000,
                deadline=10,
                allowed=LOOPBACK,
                resolver=resolve,
            )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (whole(b"x" * 2000), "larger"),
        (whole(b"x" * 10, "200 OK", "Content-Encoding: gzip"), "packed"),
        (whole(b"", "404 Not Found"), "404"),
        (whole(b"", "302 Found", "Location: /again"), "more than 3 times"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "could not be fetched"),
    ],
)
async def test_answers_that_are_of_no_use_are_told(answer, words, tmp_path):
    async with server(answer) as (port, _asked):
        with pytest.raises(BadRequestError) as error:
            await fetch(
                f"http://tables.example:{port}/",
                tmp_path / "t",
                largest=1000,
                deadline=10,
                allowed=LOOPBACK,
                resolver=resolving("127.0.0.1"),
            )
    assert words in error.value.detail


async def test_a_table_that_does_not_come_is_not_waited_for(tmp_path):
    async with server(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", stays=True) as (port, _asked):
        with pytest.raises(BadRequestError):
            await fetch(
                f"http://tables.example:{port}/",
                tmp_path / "t",
                largest=1000,
                deadline=0.2,
                allowed=LOOPBACK,
                resolver=resolving("127.0.0.1"),
            )


async def test_a_name_that_no_machine_can_have_is_refused(tmp_path):
    with pytest.raises(BadRequestError, match="could not be fetched"):
        await fetch(f"http://{'a' * 300}.example/t", tmp_path / "t", largest=1000, deadline=10)
