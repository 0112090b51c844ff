"""Talking with the Docker daemon. The only place that knows docker-py.

docker-py waits in threads, so every call runs in one; each has a deadline of ours besides the library's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException, ImageNotFound, NotFound, TLSParameterError

from agents.reducer.engines.base import EngineAwayError, EngineDiedError
from paws.errors import ConfigurationError

STDOUT, STDERR = 1, 2

API_VERSION = "1.41"
"""Of Docker 20.10, the oldest that is supported: newer daemons speak it as well."""

_Value = TypeVar("_Value")

# Types of docker-py are published apart from it, and may or may not be installed.
_library: Any = docker

_DEFAULT = "unix:///var/run/docker.sock"
_CONFLICT = 409
_FRAME_HEADER = struct.Struct(">BxxxL")
_LARGEST_READ = 1 << 16
_GRACE = 5.0
"""Seconds beyond the library's own deadline."""


class DaemonAwayError(EngineAwayError):
    """The Docker daemon does not answer: it is stopped, is being updated, or its machine is away."""

    code = "docker_away"


class ContainerGoneError(EngineDiedError):
    """A container is not there any more, or does not run."""

    code = "container_gone"


class DaemonRefusedError(EngineDiedError):
    """The daemon answers, but does not do what it is asked to."""

    code = "docker_refused"


def connect(host: str, timeout: float) -> Any:
    """Client of a daemon; nothing is sent yet.

    Parameters
    ----------
    host
        As in the settings; empty takes ``DOCKER_HOST``, ``DOCKER_TLS_VERIFY`` and ``DOCKER_CERT_PATH`` as
        Docker's own command does.

    Raises
    ------
    ConfigurationError
        If the address or the certificates cannot be used.
    """
    environment = dict(os.environ)
    if host:
        environment["DOCKER_HOST"] = host
    try:
        options = _library.utils.kwargs_from_env(environment=environment)
        return _library.APIClient(**options, timeout=timeout, version=API_VERSION)
    except (DockerException, TLSParameterError, ValueError) as error:
        raise ConfigurationError(
            f"The Docker daemon {host or environment.get('DOCKER_HOST', '')!r} cannot be addressed: {error}. Set "
            "PAWS_DOCKER_HOST to an address such as unix:///var/run/docker.sock or tcp://host:2376."
        ) from error


class Stream:
    """Output of a command in a container. Read in a thread, ended from anywhere.

    Parameters
    ----------
    response
        Of the request that started the command; the connection is ours from then on.
    """

    def __init__(self, response: Any) -> None:
        self._response = response
        # docker-py reads below this buffer and loses what came together with the answer's header, which
        # happens when this process was stopped for a moment.
        self._buffer = response.raw._fp.fp
        self._socket: socket.socket = self._buffer.raw._sock
        self._socket.settimeout(None)
        with contextlib.suppress(OSError):  # not on a Unix socket; so a dead machine is noticed
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Pieces of output as they come: `STDOUT` or `STDERR`, and bytes. Ends with the connection."""
        while len(header := self._buffer.read(_FRAME_HEADER.size)) == _FRAME_HEADER.size:
            kind, left = _FRAME_HEADER.unpack(header)
            while left:
                piece = self._buffer.read(min(left, _LARGEST_READ))
                if not piece:
                    return
                left -= len(piece)
                yield kind, piece

    def end(self) -> None:
        """Let a reader come to an end."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the connection up; not while somebody reads."""
        with contextlib.suppress(OSError):
            self._response.close()


class Daemon:
    """A Docker daemon.

    Parameters
    ----------
    host
        As in the settings.
    timeout
        Longest wait for an answer, s.
    threads
        Most calls at once, streams included.

    Attributes
    ----------
    address
        Where it is, for people.

    Raises
    ------
    ConfigurationError
        If the address cannot be used.
    """

    def __init__(self, host: str, timeout: float, threads: int) -> None:
        self._api = connect(host, timeout)
        self.address = host or os.environ.get("DOCKER_HOST") or _DEFAULT
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="docker")

    async def ping(self) -> None:
        """Look whether it answers.

        Raises
        ------
        DaemonAwayError
            If it does not; all methods raise it.
        """
        await self._call(self._api.ping)

    async def info(self) -> dict[str, Any]:
        """What it tells about itself and its machine."""
        return dict(await self._call(self._api.info))

    async def image(self, name: str) -> dict[str, Any]:
        """What is known of an image.

        Raises
        ------
        ConfigurationError
            If there is none of this name.
        """
        try:
            return dict(await self._call(lambda: self._api.inspect_image(name)))
        except ContainerGoneError:
            raise ConfigurationError(
                f"The Docker daemon at {self.address} has no image {name!r}. Build it as docs/how-to/docker.md tells, "
                f"or `docker pull {name}`."
            ) from None

    async def create(self, name: str, body: Mapping[str, Any]) -> str:
        """Create and start a container; its identifier."""

        def make() -> str:
            made = self._api.create_container_from_config(dict(body), name)
            try:
                self._api.start(made["Id"])
            except Exception:
                with contextlib.suppress(Exception):
                    self._api.remove_container(made["Id"], force=True)
                raise
            return str(made["Id"])

        return await self._call(make)

    async def containers(self, label: str) -> list[dict[str, Any]]:
        """Containers with a label, running or not."""
        return list(await self._call(lambda: self._api.containers(all=True, filters={"label": label})))

    async def inspect(self, container: str) -> dict[str, Any]:
        """What is known of a container."""
        return dict(await self._call(lambda: self._api.inspect_container(container)))

    async def rename(self, container: str, name: str) -> None:
        """Give a container another name."""
        await self._call(lambda: self._api.rename(container, name))

    async def remove(self, container: str) -> None:
        """End every process of a container and remove it; fine when it is gone."""
        with contextlib.suppress(ContainerGoneError):
            await self._call(lambda: self._api.remove_container(container, force=True, v=True))

    async def logs(self, container: str) -> str:
        """Last lines that a container's own process wrote."""
        text = await self._call(lambda: self._api.logs(container, tail=5))
        return bytes(text).decode(errors="replace").strip()

    async def execute(self, container: str, command: Sequence[str], environment: Mapping[str, str]) -> str:
        """Make a command ready in a running container; its identifier. `attach` starts it."""
        made = await self._call(
            lambda: self._api.exec_create(container, list(command), environment=dict(environment))
        )
        return str(made["Id"])

    async def attach(self, command: str) -> Stream:
        """Start a command that was made ready, and follow it."""
        return await self._call(lambda: Stream(_start(self._api, command)))

    async def exit_status(self, command: str) -> int | None:
        """Exit status of a command; None while it runs."""
        known = await self._call(lambda: self._api.exec_inspect(command))
        return None if known["Running"] or known["ExitCode"] is None else int(known["ExitCode"])

    async def follow(self, stream: Stream, take: Callable[[int, bytes], None]) -> None:
        """Give pieces of output to `take`, in this loop, until the command ends.

        Cancelled, it does not return before its thread is done with the stream.
        """
        loop = asyncio.get_running_loop()
        pieces = asyncio.Queue[tuple[int, bytes] | None](maxsize=64)

        def read() -> None:
            # A broken connection is the end of the output as well; the caller finds out what ended.
            with contextlib.suppress(OSError):
                for piece in stream.frames():
                    asyncio.run_coroutine_threadsafe(pieces.put(piece), loop).result()
            asyncio.run_coroutine_threadsafe(pieces.put(None), loop).result()

        reading = loop.run_in_executor(self._threads, read)
        try:
            while (piece := await pieces.get()) is not None:
                take(*piece)
        finally:
            stream.end()
            while not reading.done():
                # The thread may be waiting for room in the queue.
                while not pieces.empty():
                    pieces.get_nowait()
                await asyncio.wait({reading}, timeout=0.01)
            stream.close()

    def close(self) -> None:
        """Give up every connection."""
        self._api.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _call(self, ask: Callable[[], _Value]) -> _Value:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout + _GRACE):
                return await loop.run_in_executor(self._threads, _translated(ask, self.address))
        except TimeoutError:
            raise DaemonAwayError(
                f"The Docker daemon at {self.address} did not answer within {self._timeout:g} s."
            ) from None


def _start(api: Any, command: str) -> Any:
    # As `exec_start(socket=True)` does, which gives the bare socket only.
    response = api._post_json(
        api._url("/exec/{0}/start", command),
        headers={"Connection": "Upgrade", "Upgrade": "tcp"},
        data={"Tty": False, "Detach": False},
        stream=True,
    )
    api._raise_for_status(response)
    return response


def _translated(ask: Callable[[], _Value], address: str) -> Callable[[], _Value]:
    """A call whose errors are ours."""

    def asked() -> _Value:
        try:
            return ask()
        except (NotFound, ImageNotFound) as error:
            raise ContainerGoneError(f"Docker does not know it any more: {error.explanation}.") from error
        except APIError as error:
            if error.status_code == _CONFLICT:
                raise ContainerGoneError(f"Docker says: {error.explanation}.") from error
            raise DaemonRefusedError(
                f"The Docker daemon at {address} says: {error.explanation or error}."
            ) from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise DaemonAwayError(
                f"The Docker daemon at {address} does not answer ({_cause(error)}). Look whether it runs "
                "(`systemctl status docker`) and whether this user may talk to it."
            ) from error
        except DockerException as error:
            raise DaemonRefusedError(f"The Docker daemon at {address} cannot be used: {error}.") from error

    return asked


def _cause(error: BaseException) -> str:
    """The innermost reason of an error that others wrap."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error) or type(error).__name__
