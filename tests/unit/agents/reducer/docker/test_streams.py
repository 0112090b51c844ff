"""Output of commands, as it comes over a connection."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from types import SimpleNamespace

import pytest

from agents.reducer.engines.base import LONGEST_LINE
from agents.reducer.engines.docker.container import Lines, busy_name, idle_name
from agents.reducer.engines.docker.daemon import STDERR, STDOUT, Daemon, Stream
from agents.reducer.engines.output import OutputFollower


def frame(kind, content):
    return struct.pack(">BxxxL", kind, len(content)) + content


@pytest.fixture
def connection():
    """The daemon's end of a connection, and the stream at ours."""
    theirs, ours = socket.socketpair()
    reader = ours.makefile("rb")
    closed = threading.Event()
    response = SimpleNamespace(
        raw=SimpleNamespace(_fp=SimpleNamespace(fp=reader)), close=lambda: (reader.close(), closed.set())
    )
    yield theirs, Stream(response), reader, closed
    theirs.close()
    reader.close()
    ours.close()


@pytest.fixture
async def daemon():
    daemon = Daemon("unix:///nowhere", 1.0, 4)
    yield daemon
    daemon.close()


def test_frames_are_read_whole(connection):
    theirs, stream, _, _ = connection
    theirs.sendall(frame(STDOUT, b"one\n") + frame(STDERR, b"") + frame(STDERR, b"two\n") + b"\x01\x00")
    theirs.shutdown(socket.SHUT_WR)
    assert list(stream.frames()) == [(STDOUT, b"one\n"), (STDERR, b"two\n")]


def test_what_came_with_the_header_is_not_lost(connection):
    theirs, stream, reader, _ = connection
    theirs.sendall(b"HTTP/1.1 101 UPGRADED\r\n\r\n" + frame(STDOUT, b"early\n"))
    assert (
        reader.readline() == b"HTTP/1.1 101 UPGRADED\r\n"
    )  # the library reads headers so, and more with them
    assert reader.readline() == b"\r\n"
    theirs.shutdown(socket.SHUT_WR)
    assert list(stream.frames()) == [(STDOUT, b"early\n")]


def test_a_frame_that_is_cut_ends_the_stream(connection):
    theirs, stream, _, _ = connection
    theirs.sendall(frame(STDOUT, b"0123456789")[:-4])
    theirs.shutdown(socket.SHUT_WR)
    assert b"".join(piece for _, piece in stream.frames()) == b"012345"


async def test_following_hands_pieces_on_and_closes(daemon, connection):
    theirs, stream, _, closed = connection
    taken = []
    following = asyncio.create_task(daemon.follow(stream, lambda kind, piece: taken.append((kind, piece))))
    theirs.sendall(frame(STDOUT, b"a"))
    async with asyncio.timeout(10):
        while not taken:  # noqa: ASYNC110 - another thread tells nobody
            await asyncio.sleep(0.01)
    assert not following.done()
    theirs.shutdown(socket.SHUT_WR)
    await following
    assert taken == [(STDOUT, b"a")]
    assert closed.is_set()


async def test_cancelled_following_leaves_no_thread_behind(daemon, connection):
    _, stream, _, closed = connection
    following = asyncio.create_task(daemon.follow(stream, lambda *_: None))
    await asyncio.sleep(0.05)
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
    assert closed.is_set()


def fed(*pieces):
    lines = []
    taker = Lines(OutputFollower(lines.append))
    for piece in pieces:
        taker.feed(piece)
    taker.finish()
    return lines


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ((b"one\ntwo\n",), ["one", "two"]),
        ((b"on", b"e\r\ntw", b"o"), ["one", "two"]),
        (("\u00c5".encode()[:1], "\u00c5".encode()[1:] + b"\n"), ["\u00c5"]),
        ((b"\xff\n",), ["\ufffd"]),
        ((b"\n\n",), ["", ""]),
        ((), []),
    ],
)
def test_bytes_become_lines(pieces, lines):
    assert fed(*pieces) == lines


def test_a_line_beyond_all_measure_comes_in_pieces():
    lines = fed(*[b"x" * 65536] * 40)
    assert sum(map(len, lines)) == 40 * 65536
    assert max(map(len, lines)) < 2 * LONGEST_LINE


def test_names_of_containers_are_plain():
    room = SimpleNamespace(name="0a1b2c")
    assert idle_name(room) == "paws-0a1b2c"
    assert busy_name(room, "9f86d081884c7d65-2") == "paws-0a1b2c-9f86d081884c7d65-2"
    assert busy_name(room, "a b/../$c" + "x" * 99) == "paws-0a1b2c-a_b_..__c" + "x" * 51
