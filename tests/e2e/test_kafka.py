"""The same night, unchanged, on Apache Kafka."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import NIGHT
from tests.support.live import paws, summary_of

pytestmark = [pytest.mark.e2e, pytest.mark.kafka, pytest.mark.timeout(900)]


def test_a_night_on_apache_kafka(kafka_url, tmp_path):
    data = tmp_path / "kafka night"
    arguments = ["demo", *NIGHT, "--cadence", "2", "--data", str(data), "--exit-when-done", "--json"]
    with paws(arguments, data, {"PAWS_BROKER_URL": kafka_url}) as running:
        summary = summary_of(running.finish())
        assert running.process.returncode == 0, running.tail()
    assert summary["reduced"] == summary["frames"] == 20
    assert summary["failed"] == summary["waiting"] == summary["rejected"] == summary["duplicates"] == 0
