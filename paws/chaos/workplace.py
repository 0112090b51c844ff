"""Where a campaign works: its folder, its settings, and what can be done on this machine."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paws.chaos import far_host, light_aaorun
from paws.chaos.containers import LIGHT_IMAGE, ChaosDaemon
from paws.chaos.faults import CONTAINER, FAR_RUNNER, FaultKind
from paws.chaos.plan import KAFKA, NightPlan
from paws.chaos.system import find_faketime
from paws.settings import Settings, as_environment, load_settings

# libfaketime, which steps the runner's clock, makes Python's sleep fail: the engine keeps the machine's clock.
_WRAPPER = """#!/bin/sh
unset LD_PRELOAD
exec "{python}" -I -S "{source}" "$@"
"""


def scratch_of(data: Path) -> Path:
    """Folder for the temporary files of a night's system, so that nobody else's are taken for its own."""
    return data.with_name("tmp")


@dataclass
class Workplace:
    """A folder for a campaign, on one file system.

    Attributes
    ----------
    jars
        Of Apache Kafka; None where there are none.
    image
        Docker image for the nights in containers; empty where there is none.
    daemon
        A Docker daemon of our own with that image, once it is open.
    """

    folder: Path
    jars: Path | None = None
    image: str = ""
    daemon: ChaosDaemon | None = None

    def prepare(self) -> None:
        """Make the folder, and in it the program that the light nights reduce with."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # The database server of root's runs as another account, which must be able to enter.
        self.folder.chmod(0o755)
        source = Path(light_aaorun.__file__)
        self.program.write_text(_WRAPPER.format(python=sys.executable, source=source))
        self.program.chmod(0o755)

    @property
    def program(self) -> Path:
        """The light ``aaorun``."""
        return self.folder / "aaorun"

    async def open_daemon(self) -> None:
        """Start a Docker daemon of our own, for the first night in containers.

        Raises
        ------
        ConfigurationError
            If that is impossible here.
        """
        if self.daemon is None:
            daemon = ChaosDaemon(self.folder / "docker", self.image)
            try:
                await daemon.open()
            except BaseException:
                await daemon.close()
                raise
            self.daemon = daemon

    async def close(self) -> None:
        """Stop what was opened."""
        if self.daemon is not None:
            await self.daemon.close()
            self.daemon = None

    def settings(self, plan: NightPlan, data: Path, raw: Path) -> Settings:
        """Settings of a night's system: the defaults, but for what is reduced where and by what."""
        chosen: dict[str, object] = {
            "data_dir": data,
            "raw_dirs": (raw,),
            "web_port": 0,
            "kafka_jars": self.jars if plan.kafka else None,
        }
        if plan.engine == "light":
            chosen |= {"engine": "local", "aaorun": str(self.program), "engine_version": "light 1"}
        elif plan.engine == "docker":
            assert self.daemon is not None
            chosen |= {
                "engine": "chaos",
                "engines": {"chaos": f"docker:{LIGHT_IMAGE}"},
                "docker_host": self.daemon.address,
            }
        return load_settings(**chosen)

    def environment(self, settings: Settings) -> dict[str, str]:
        """Variables of the system: those of this process without its own settings, and the night's settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PAWS_")}
        return {**kept, **as_environment(settings), "TMPDIR": str(scratch_of(settings.data_dir))}

    def refused(self) -> Mapping[str, str]:
        """What cannot be done here, with the reason."""
        reasons: dict[str, str] = {}
        if os.geteuid() != 0 or shutil.which("mount") is None:
            reasons[FaultKind.DISK_FULL.value] = "a small disk can be mounted by root only"
        if not find_faketime():
            reasons[FaultKind.CLOCK_STEP.value] = "libfaketime is not installed"
        why = far_host.why_not()
        if why:
            reasons[FAR_RUNNER] = why
        if self.jars is None:
            reasons[KAFKA] = "there are no jars of Apache Kafka (`make kafka`)"
        if not self.image:
            reasons[CONTAINER] = "no Docker image is named (--image)"
        return reasons
