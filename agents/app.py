"""The Faust app: made by a function, so that settings are known first and no test shares one."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import faust
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, ReplicaNotAvailableError, TopicAlreadyExistsError, for_code

from agents.faust_driver import KAFKA_FETCH_WAIT_MS, TANSU_FETCH_WAIT_MS
from agents.runtime import AgentContext
from paws.errors import PermanentError, ServiceUnavailableError
from paws.log import get_logger
from paws.settings import Settings
from schemas.topics import TOPICS

log = get_logger(__name__)

AGENTS: tuple[str, ...] = (
    "agents.calib_matcher.agent",
    "agents.reducer.agent",
    "agents.obslog.agent",
    "agents.tap_ingest.agent",
    "agents.requests.agent",
    "agents.notifier.agent",
    "agents.relay.agent",
)
"""Modules that have ``register(app, context)``, in the order in which they are registered."""


def create_app(settings: Settings, context: AgentContext, agents: Sequence[str] = AGENTS) -> faust.App:
    """Faust app with the agents of some modules.

    Parameters
    ----------
    context
        Given to every agent. Its pool must be open before the app starts.
    """
    app = faust.App(
        settings.consumer_group,
        broker=f"kafka://{settings.require_broker()}",
        datadir=str(settings.run_dir / "faust"),
        store="memory://",
        autodiscover=False,
        web_enabled=False,
        origin="agents",
        # One partition everywhere: a night's events keep their order, and tables match their source.
        topic_partitions=1,
        topic_replication_factor=settings.topic_replication,
        topic_allow_declare=True,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        # Handlers are short: every event is committed, and a stop waits for the one in hand.
        broker_commit_every=1,
        broker_commit_interval=0.5,
        stream_wait_empty=True,
        stream_buffer_maxsize=256,
        stream_processing_timeout=60.0,
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.0,
        broker_rebalance_timeout=6.0,
        broker_request_timeout=20.0,
        producer_linger=0.0,
        producer_acks=-1,
    )
    for module in agents:
        importlib.import_module(module).register(app, context)
    return app


def changelog_topics(app: faust.App) -> list[str]:
    """Names of the changelogs of the app's tables."""
    return [table.changelog_topic.get_topic_name() for table in app.tables.values()]


def fetch_wait(cluster_id: str) -> int:
    """How long the broker may hold back an answer to a fetch (ms), from the name of its cluster.

    The embedded broker names its cluster by a UUID with dashes, Kafka draws 22 other characters.
    """
    try:
        embedded = str(UUID(cluster_id)) == cluster_id.lower()
    except ValueError:
        embedded = False
    return TANSU_FETCH_WAIT_MS if embedded else KAFKA_FETCH_WAIT_MS


async def declare_topics(settings: Settings, changelogs: Sequence[str] = ()) -> str:
    """Create the topics that do not exist yet. May be run by many at once.

    A client that touches an unknown topic may create it with the broker's defaults, so this comes before
    any consumer. Changelogs are compacted and keep their messages for ever.

    Returns
    -------
    str
        Identifier of the cluster.

    Raises
    ------
    ServiceUnavailableError
        If the broker does not answer.
    PermanentError
        If it refuses a topic.
    """
    copies = settings.topic_replication
    wanted = [
        NewTopic(
            settings.topic(spec.name),
            spec.partitions,
            copies,
            topic_configs={"retention.ms": str(spec.retention_ms)},
        )
        for spec in TOPICS
    ] + [
        NewTopic(name, 1, copies, topic_configs={"cleanup.policy": "compact", "retention.ms": "-1"})
        for name in changelogs
    ]
    admin = AIOKafkaAdminClient(
        bootstrap_servers=settings.require_broker(), request_timeout_ms=int(settings.database_deadline * 1000)
    )
    try:
        await admin.start()
        existing = set(await admin.list_topics())
        missing = [topic for topic in wanted if topic.name not in existing]
        if missing:
            _check(await admin.create_topics(missing))
            log.info("topics declared", topics=[topic.name for topic in missing])
        # Those that are there too: another may have made them just now, or the broker be only starting.
        await wait_until_led(admin, {topic.name for topic in wanted}, settings.database_deadline)
        return str((await admin.describe_cluster()).get("cluster_id") or "")
    except (KafkaError, OSError) as error:
        raise ServiceUnavailableError(
            f"The broker at {settings.require_broker()} does not answer: {error!r}. "
            "Check that it runs and PAWS_BROKER_URL."
        ) from error
    finally:
        await admin.close()


async def wait_until_led(admin: AIOKafkaAdminClient, names: set[str], deadline: float) -> None:
    """Wait until every partition of some topics has a leader.

    Kafka acknowledges a topic before its brokers have heard of it, and a consumer that asks too early goes without.

    Raises
    ------
    ServiceUnavailableError
        When it takes longer than ``deadline`` [s].
    """
    missing = names
    try:
        async with asyncio.timeout(deadline):
            while missing := names - {row["topic"] for row in await admin.describe_topics() if _is_led(row)}:  # noqa: ASYNC110 - brokers tell nobody
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise ServiceUnavailableError(
            f"Topics without a leader after {deadline:g} s: {', '.join(sorted(missing))}. "
            "Check that all brokers of the cluster run."
        ) from error


def _is_led(topic: dict[str, Any]) -> bool:
    """Whether clients can use all partitions; a replica that is away is no matter."""
    partitions = topic["partitions"]
    return bool(partitions) and all(
        part["leader"] >= 0 and part["error_code"] in (0, ReplicaNotAvailableError.errno)
        for part in partitions
    )


def _check(response: Any) -> None:
    for name, code, *message in response.topic_errors:
        error = for_code(code)
        if code and error.retriable:
            # As from a broker that is only starting, or has another controller by now.
            raise error(f"{name}: {' '.join(map(str, message))}")
        if code and error is not TopicAlreadyExistsError:
            raise PermanentError(
                f"The broker refuses topic {name}: {error.__name__} {' '.join(map(str, message))}. "
                "Create it by hand, or allow this user to."
            )
