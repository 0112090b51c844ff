"""What can be checked of the compose file without a container engine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from paws.embedded.kafka import PROPERTIES
from paws.running import READY_FILE
from paws.settings import Settings

INFRA = Path(__file__).parents[3] / "infra"
TEXT = (INFRA / "compose.yaml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("paws-live")}


@pytest.mark.parametrize("name", SERVICES)
def test_service_restarts_tells_its_health_and_stops_in_order(name):
    service = SERVICES[name]
    assert service["restart"] == ("on-failure:5" if name == "migrate" else "unless-stopped")
    assert "stop_grace_period" in service
    assert name == "migrate" or service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


@pytest.mark.parametrize("name", SERVICES)
def test_dependencies_exist_and_can_be_met(name):
    for other, condition in SERVICES[name].get("depends_on", {}).items():
        needs_health = condition["condition"] == "service_healthy"
        assert needs_health or condition["condition"] == "service_completed_successfully"
        assert ("healthcheck" in SERVICES[other]) == needs_health


@pytest.mark.parametrize("name", OURS)
def test_every_setting_given_is_one_that_exists(name):
    given = {key for key in OURS[name]["environment"] if key.startswith("PAWS_")}
    assert given <= {f"PAWS_{field.upper()}" for field in Settings.model_fields}
    assert {"PAWS_BROKER_URL", "PAWS_DATABASE_URL", "PAWS_DATA_DIR", "PAWS_RAW_DIRS"} <= given


def test_all_processes_are_there():
    assert {service["command"][0] for service in OURS.values()} == {
        "migrate",
        "worker",
        "ingest",
        "runner",
        "tidy",
        "web",
    }


def test_no_secret_is_in_the_file_and_the_required_ones_are_in_the_example():
    required = set(re.findall(r"\$\{(\w+):\?", TEXT))
    example = (INFRA / "env.example").read_text()
    assert required == {"PAWS_DATABASE_PASSWORD", "PAWS_DATA_FOLDER", "PAWS_RAW_FOLDER"}
    assert all(re.search(rf"^{name}=$", example, re.MULTILINE) for name in required)
    assert all("${PAWS_DATABASE_PASSWORD:?" in line for line in TEXT.splitlines() if "PASSWORD:" in line)


def test_nothing_is_published_beyond_this_machine():
    for service in SERVICES.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_named_volumes_are_declared():
    used = {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if isinstance(volume, str)
    }
    assert used == set(COMPOSE["volumes"])


def test_production_and_test_kafka_are_one_version_and_agree_on_topics():
    pom = (INFRA / "kafka" / "pom.xml").read_text()
    version = re.search(r"<kafka.version>(.*)</kafka.version>", pom).group(1)
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version}"
    assert "auto.create.topics.enable=false" in PROPERTIES
    assert SERVICES["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


@pytest.mark.parametrize("name", ["worker", "ingest", "runner", "tidy"])
def test_a_health_check_looks_for_the_file_that_its_process_writes(name):
    service = SERVICES[name]
    file = service["environment"]["SUPERVISOR_READY_FILE"]
    assert file in service["healthcheck"]["test"][1]
    assert READY_FILE in service["environment"]
    # Beside each other on one data folder: a file of its own for every container.
    assert any(str(mount).startswith("/data/run") for mount in service["tmpfs"])
