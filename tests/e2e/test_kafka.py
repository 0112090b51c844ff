"""The same night, unchanged, on Apache Kafka."""

from __future__ import annotations

from pathlib import Path

import pytest

from paws.embedded.errors import BinaryNotFoundError
from paws.embedded.kafka import bring_jars, find_java
from tests.e2e.conftest import NIGHT
from tests.support.live import paws, summary_of

pytestmark = [pytest.mark.e2e, pytest.mark.kafka, pytest.mark.timeout(900)]


POM = Path(__file__).parents[2] / "infra" / "kafka" / "pom.xml"


@pytest.fixture(scope="session")
def kafka_jars() -> Path:
    try:
        find_java()
        return bring_jars(POM)
    except BinaryNotFoundError as error:
        pytest.skip(f"no Apache Kafka here: {error}")


def test_a_night_on_apache_kafka(kafka_jars, folder):
    data = folder / "kafka night"
    arguments = ["demo", *NIGHT, "--cadence", "2", "--data", str(data), "--exit-when-done", "--json"]
    with paws(arguments, data, {"PAWS_KAFKA_JARS": str(kafka_jars)}) as running:
        summary = summary_of(running.finish())
        assert running.process.returncode == 0, running.tail()
    assert summary["reduced"] == summary["frames"] == 20
    assert summary["failed"] == summary["waiting"] == summary["rejected"] == summary["duplicates"] == 0
