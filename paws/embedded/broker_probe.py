"""Ask a Kafka-compatible broker who it is, in two messages of its protocol.

A full client takes longer to be imported than a broker takes to start, and would make the topics that it
asks for.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from dataclasses import dataclass

#: Longest time one question may take [s].
ANSWER_WITHIN = 2.0
#: A longer answer is not one of a Kafka broker [bytes].
LONGEST_ANSWER = 1_000_000
#: API key and version of the request for metadata; the first version that names the cluster.
METADATA, METADATA_VERSION = 3, 2
CLIENT = b"paws-probe"


@dataclass(frozen=True, slots=True)
class BrokerAnswer:
    """What a broker says of itself.

    Attributes
    ----------
    cluster_id : str
        Name of the cluster.
    brokers : int
        How many brokers it knows.
    topics : tuple of str
        Names of its topics.
    """

    cluster_id: str
    brokers: int
    topics: tuple[str, ...]


class _Reader:
    """Takes the protocol's primitive types from an answer."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, kind: str) -> int:
        value: int = struct.unpack_from(f">{kind}", self._data, self._at)[0]
        self._at += struct.calcsize(f">{kind}")
        return value

    def text(self) -> str:
        length = self.number("h")
        if length < 0:
            return ""
        value = self._data[self._at : self._at + length]
        self._at += length
        return value.decode("utf-8", "replace")


def encode_metadata_request(correlation: int) -> bytes:
    """Request for the metadata of all topics, which makes none."""
    header = struct.pack(">hhih", METADATA, METADATA_VERSION, correlation, len(CLIENT)) + CLIENT
    body = header + struct.pack(">i", -1)
    return struct.pack(">i", len(body)) + body


def decode_metadata_answer(answer: bytes) -> BrokerAnswer:
    """Read an answer to `encode_metadata_request`, without its length.

    Raises
    ------
    ValueError
        It is not such an answer.
    """
    try:
        reader = _Reader(answer)
        reader.number("i")
        brokers = reader.number("i")
        for _ in range(brokers):
            reader.number("i"), reader.text(), reader.number("i"), reader.text()
        cluster_id = reader.text()
        reader.number("i")
        topics = []
        for _ in range(reader.number("i")):
            reader.number("h")
            topics.append(reader.text())
            reader.number("b")
            for _ in range(reader.number("i")):
                reader.number("h"), reader.number("i"), reader.number("i")
                for _ in range(2):
                    for _ in range(reader.number("i")):
                        reader.number("i")
    except struct.error as error:
        raise ValueError(f"not an answer of a Kafka broker: {error}") from error
    return BrokerAnswer(cluster_id, brokers, tuple(topics))


async def ask_broker(host: str, port: int) -> BrokerAnswer | None:
    """Ask a broker who it is; None when none answers in time."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(encode_metadata_request(1))
            length = struct.unpack(">i", await reader.readexactly(4))[0]
            if not 0 < length < LONGEST_ANSWER:
                return None
            return decode_metadata_answer(await reader.readexactly(length))
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
        return None
    finally:
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
