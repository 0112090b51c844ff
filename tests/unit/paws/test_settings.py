from __future__ import annotations

from pathlib import Path

import pytest

from paws.errors import ConfigurationError
from paws.settings import Settings, as_environment, load_settings


def test_every_setting_is_described():
    assert all(field.description for field in Settings.model_fields.values())


def test_secrets_are_masked(monkeypatch):
    monkeypatch.setenv("PAWS_DATABASE_URL", "postgresql://paws:hush@host/paws")
    settings = load_settings()
    assert "hush" not in str(settings.masked())
    assert "hush" not in repr(settings)
    assert settings.require_database() == "postgresql://paws:hush@host/paws"


def test_an_unknown_setting_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("PAWS_RUNER_SLOTS", "3")
    with pytest.raises(ConfigurationError, match="PAWS_RUNER_SLOTS"):
        load_settings()


def test_a_wrong_value_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("PAWS_RUNNER_SLOTS", "many")
    with pytest.raises(ConfigurationError, match="PAWS_RUNNER_SLOTS"):
        load_settings()


def test_a_child_process_gets_the_same_settings(monkeypatch):
    settings = load_settings(
        raw_dirs=(Path("/raw one"), Path("/raw2")),
        data_dir=Path("/data"),
        engine_parameters={"SKYSUB": False, "ARCFITORDER": 4},
    )
    settings = settings.model_copy(update={"broker_url": "kafka://127.0.0.1:1"})
    for name, value in as_environment(settings).items():
        monkeypatch.setenv(name, value)
    child = load_settings()
    assert child.raw_dirs == settings.raw_dirs
    assert child.engine_parameters == settings.engine_parameters
    assert child.broker_url == "kafka://127.0.0.1:1"


@pytest.mark.parametrize("need", ["require_database", "require_broker"])
def test_what_is_not_set_is_named(need):
    with pytest.raises(ConfigurationError, match="paws up"):
        getattr(load_settings(), need)()
