"""The whole system in one go: the embedded services and the four processes, under one supervisor.

What becomes of a process is told in the status feed, so that the observer sees on the page what happened.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import asyncpg
from pydantic import SecretStr

from paws.database import connect, migrate
from paws.embedded.broker import EmbeddedBroker
from paws.embedded.events import EventKind, SupervisorEvent
from paws.embedded.kafka import KafkaBroker
from paws.embedded.postgres import EmbeddedPostgres
from paws.embedded.postgres_place import find_cluster
from paws.embedded.process import ProcessSpec
from paws.embedded.ready import file_ready
from paws.embedded.supervisor import Supervisor
from paws.errors import ConfigurationError, ServiceUnavailableError
from paws.notices import NoticeDesk
from paws.room import RoomWatch
from paws.running import READY_FILE, supervised_ready_path
from paws.settings import Settings, as_environment
from paws.tasks import in_background
from paws.vo.identity import set_identity

Broker = EmbeddedBroker | KafkaBroker

PROCESSES = ("worker", "runner", "ingest", "web")
"""Processes of a live system, in the order in which they are stopped last to first."""

READY_DEADLINE = 120.0
"""Longest time a process may take to become ready, s: the first start of all compiles the reducer."""


MIGRATE_PAUSE = 0.3
"""Between two tries to reach a database that has just been started, s."""


@dataclass(frozen=True)
class LiveSystem:
    """A running system: its settings, completed with what was found or started, and its supervisor."""

    settings: Settings
    supervisor: Supervisor
    web_url: str


def choose_web_port(host: str, wanted: int) -> int:
    """The wanted port if it is free, else another: two systems on one machine must not quarrel.

    Raises
    ------
    ConfigurationError
        If the host is no address of this machine.
    """
    if wanted:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, wanted))
            except PermissionError as error:
                raise ConfigurationError(
                    f"Port {wanted} may not be used: {error}. Set PAWS_WEB_PORT."
                ) from error
            except OSError:
                pass
            else:
                return wanted
    try:
        with socket.socket() as probe:
            probe.bind((host, 0))
            return int(probe.getsockname()[1])
    except OSError as error:
        raise ConfigurationError(
            f"{host} is no address of this machine: {error}. Set PAWS_WEB_HOST."
        ) from error


class WebAddress:
    """Address of the web server. The port is looked for at every start: another may have taken it meanwhile.

    Parameters
    ----------
    settings
        With the wanted port; the port that was found is kept over restarts while it is free.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.port = choose_web_port(settings.web_host, settings.web_port)

    @property
    def url(self) -> str:
        """For people and programs on this machine."""
        host = self._settings.web_host
        shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104 - compared, not bound
        return f"http://{shown}:{self.port}/"

    def environment(self) -> dict[str, str]:
        """Variables for the web process that is about to start."""
        self.port = choose_web_port(self._settings.web_host, self.port)
        settings = self._settings.model_copy(update={"web_port": self.port})
        return {**as_environment(settings), READY_FILE: str(supervised_ready_path(settings, "web"))}


def unchanged(spec: ProcessSpec) -> ProcessSpec:
    """The description of a process as it is."""
    return spec


class ProcessNotices:
    """Turns what a supervisor reports into notices: ends, pauses and returns, not the ordinary start and stop."""

    def __init__(self, desk: NoticeDesk) -> None:
        self._desk = desk
        self._missed: set[str] = set()

    def take(self, event: SupervisorEvent) -> None:
        """Take an event of the supervisor."""
        if event.kind in (EventKind.STARTED, EventKind.STOPPED):
            return
        if event.kind is EventKind.READY:
            if event.name not in self._missed:
                return
            self._missed.discard(event.name)
        elif event.kind in (EventKind.ENDED, EventKind.HELD_BACK):
            self._missed.add(event.name)
        self._desk.tell(
            f"process:{event.name}", event.kind.value, f"{event.name} {event.message}.", pid=event.pid
        )


@asynccontextmanager
async def live_system(
    settings: Settings,
    on_event: Callable[[SupervisorEvent], None] | None = None,
    adapt: Callable[[ProcessSpec], ProcessSpec] = unchanged,
) -> AsyncIterator[LiveSystem]:
    """Start everything that the settings do not name as running elsewhere; stop it at the end.

    Parameters
    ----------
    on_event
        Told of every event of the supervisor, besides the status feed.
    adapt
        Changes the description of each of our own processes before it starts.

    Raises
    ------
    ServiceError
        If a part cannot be brought to readiness; the message has its last lines.
    """
    settings.check_access()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    desk = NoticeDesk(settings.data_dir)
    notices = ProcessNotices(desk)

    def take(event: SupervisorEvent) -> None:
        notices.take(event)
        if on_event is not None:
            on_event(event)

    async with Supervisor(settings.data_dir, on_event=take) as supervisor:
        if supervisor.after_death:
            desk.tell(
                "system", "started again", "The whole system had ended without being stopped; it runs again."
            )
        supervisor.handle_signals()
        own_database = not settings.database_url.get_secret_value()
        broker, settings = await _start_services(supervisor, settings)
        supervisor.publish(database_url=settings.require_database(), broker_url=settings.broker_url)
        address = WebAddress(settings)

        async def tell_address() -> None:
            supervisor.publish(web_url=address.url)

        specs = {name: _process(name, settings, embedded_broker=broker is not None) for name in PROCESSES}
        specs["web"] = replace(specs["web"], environment=address.environment, after_ready=tell_address)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(in_background(desk.deliver(settings)))
            if own_database:
                watch = RoomWatch(desk, "database", find_cluster(settings.data_dir))
                await stack.enter_async_context(in_background(watch.follow()))
            await asyncio.gather(*(supervisor.start(adapt(spec)) for spec in specs.values()))
            yield LiveSystem(settings, supervisor, address.url)


async def _start_services(supervisor: Supervisor, settings: Settings) -> tuple[Broker | None, Settings]:
    broker: Broker | None = None
    starts = []
    if not settings.database_url.get_secret_value():
        database = EmbeddedPostgres(settings.data_dir, binaries=settings.postgres_bin)
        starts.append(supervisor.start(await asyncio.to_thread(database.process_spec)))
        settings = settings.model_copy(update={"database_url": SecretStr(database.dsn)})
    if not settings.broker_url:
        broker = _choose_broker(settings)
        starts.append(supervisor.start(_with_incarnation(broker, supervisor)))
    await asyncio.gather(*starts)
    if broker is not None:
        settings = settings.model_copy(update={"broker_url": broker.url})
    await _migrate(settings)
    return broker, settings


async def _migrate(settings: Settings) -> None:
    """Bring the database to the newest schema. One that dies just now is started again, and waited for."""
    until = time.monotonic() + settings.database_deadline
    while True:
        try:
            connection = await connect(settings, migrated=False)
            try:
                await migrate(connection, settings.tap_geometry)
                await set_identity(connection, settings)
            finally:
                await connection.close()
            return
        except (
            ServiceUnavailableError,
            OSError,
            asyncpg.PostgresConnectionError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
        ):
            if time.monotonic() > until:
                raise
            await asyncio.sleep(MIGRATE_PAUSE)


def _choose_broker(settings: Settings) -> Broker:
    if settings.kafka_jars is not None:
        return KafkaBroker(
            settings.data_dir / "kafka", settings.kafka_jars, log_file=settings.logs_dir / "broker.log"
        )
    return EmbeddedBroker(settings.data_dir, binary=settings.tansu_bin)


def _with_incarnation(broker: Broker, supervisor: Supervisor) -> ProcessSpec:
    """The broker's description, with its incarnation made known at every start."""

    async def tell() -> None:
        supervisor.publish(broker_incarnation=broker.incarnation)

    return replace(broker.process_spec("broker"), after_ready=tell)


def _process(name: str, settings: Settings, *, embedded_broker: bool) -> ProcessSpec:
    """A process of ours. What speaks to the embedded broker starts anew with it: its topics are gone."""
    ready = supervised_ready_path(settings, name)
    return ProcessSpec(
        name=name,
        argv=[sys.executable, "-m", "paws", name],
        log_file=settings.logs_dir / f"{name}.log",
        environment={**as_environment(settings), READY_FILE: str(ready)},
        ready=file_ready(ready),
        ready_deadline=READY_DEADLINE,
        follows=("broker",) if embedded_broker and name in ("worker", "web") else (),
    )
