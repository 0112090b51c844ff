"""Finding and marking what runs: settings of a running system, and the files that say a process is ready."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from paws.embedded.runtime import read_runtime
from paws.errors import ConfigurationError
from paws.settings import Settings, load_settings


def running_settings(data_dir: Path | None = None, **overrides: Any) -> Settings:
    """Settings of the system that runs here: those of the environment, completed by its runtime file.

    Raises
    ------
    ConfigurationError
        If the environment names no database and nothing runs in the data folder.
    """
    settings = load_settings(data_dir=data_dir, **overrides)
    if settings.database_url.get_secret_value():
        return settings
    runtime = read_runtime(settings.data_dir)
    if runtime is None or not runtime.database_url:
        raise ConfigurationError(
            f"Nothing runs in {settings.data_dir}. Start it with `paws up --data {settings.data_dir}`, name the "
            "folder of a running system with --data, or set PAWS_DATABASE_URL."
        )
    return settings.model_copy(
        update={
            "database_url": SecretStr(runtime.database_url),
            "broker_url": settings.broker_url or runtime.broker_url,
        }
    )


READY_FILE = "SUPERVISOR_READY_FILE"
"""Variable by which a supervisor tells a process where to say that it is ready."""


def supervised_ready_path(settings: Settings, process: str) -> Path:
    """File by which a process tells its supervisor that it is ready."""
    return settings.run_dir / f"{process}.ready"


def ready_path(settings: Settings, process: str) -> Path:
    """File that this process writes when it is ready; it holds the process id.

    Without a supervisor the host stands in its name: machines share the data folder.
    """
    given = os.environ.get(READY_FILE)
    return Path(given) if given else settings.run_dir / f"{process}@{socket.gethostname()}.ready"


def mark_ready(settings: Settings, process: str) -> None:
    """Say that this process is ready for work."""
    path = ready_path(settings, process)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(f"{os.getpid()}\n")
    temporary.replace(path)
