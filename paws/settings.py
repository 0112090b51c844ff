"""All settings, in one class. Environment variables start with ``PAWS_``; unknown keys are refused."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import NoDecode, SettingsConfigDict

from paws.errors import ConfigurationError
from paws.settings_publish import PublishSettings
from paws.settings_tap import TapSettings
from paws.settings_text import as_text, is_loopback, split_folders, split_networks, split_words
from paws.settings_vo import VoSettings

_PREFIX = "PAWS_"


class Settings(VoSettings, TapSettings, PublishSettings):
    """Settings of every process. Times are in seconds."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="forbid", frozen=True)

    # Where things are.
    raw_dirs: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(split_folders)] = Field(
        default=(), description="Raw folders to watch, separated by ':'"
    )
    data_dir: Path = Field(default=Path("data"), description="Folder for everything that PAWS Live keeps")
    broker_url: str = Field(default="", description="Kafka bootstrap, such as kafka://host:9092")
    kafka_jars: Path | None = Field(
        default=None,
        description="Folder of Apache Kafka's jars (`make kafka`): `paws up` then starts Kafka instead of the embedded broker",
    )
    tansu_bin: Path | None = Field(
        default=None, description="Program of the embedded broker; found by itself"
    )
    postgres_bin: Path | None = Field(
        default=None, description="Folder of the programs of the embedded PostgreSQL; found by itself"
    )
    topic_prefix: str = Field(
        default="", pattern=r"^[A-Za-z0-9._-]*$", description="Put before every topic name"
    )
    topic_replication: int = Field(
        default=1, ge=1, le=9, description="Brokers that keep a copy of every topic"
    )
    consumer_group: str = Field(default="paws", description="Kafka consumer group and Faust application id")
    database_url: SecretStr = Field(
        default=SecretStr(""), description="PostgreSQL DSN, such as postgresql://user@host/paws"
    )
    database_pool: int = Field(default=6, ge=1, le=100, description="Most database connections a process")
    database_deadline: float = Field(default=20.0, gt=0, description="Longest wait for a database answer")

    # The site.
    site_longitude: float = Field(
        default=149.0661, ge=-180, le=180, description="Degrees east; nights roll over at local noon"
    )
    site_latitude: float = Field(default=-31.2754, ge=-90, le=90, description="Degrees north; for twilights")
    thresholds: Path | None = Field(default=None, description="File of the site's own thresholds, TOML")

    # Ingest.
    ingest_mode: Literal["auto", "events", "polling"] = Field(
        default="auto",
        description="'events' uses the kernel's notices, 'polling' is for network file systems",
    )
    ingest_sweep_interval: float = Field(
        default=10.0, gt=0, description="Between sweeps that find what notices missed"
    )
    ingest_poll_interval: float = Field(default=1.0, gt=0, description="Between looks in polling mode")
    ingest_settle: float = Field(
        default=1.0, ge=0, description="How long a file without a close notice must be unchanged"
    )
    ingest_growth_deadline: float = Field(
        default=600.0, gt=0, description="How long an incomplete file is waited for"
    )
    ingest_nights: int = Field(
        default=3, ge=1, description="Newest night folders that the sweep looks through"
    )

    # Matching.
    match_wait: float = Field(
        default=300.0, ge=0, description="How long a science frame waits for calibrations of its own field"
    )
    match_max_level: int = Field(
        default=3, ge=0, le=4, description="Worst calibration level that may be used live"
    )
    match_optional_wait: float = Field(
        default=30.0, ge=0, description="How long an optional calibration in reduction is waited for"
    )
    match_group_quiet: float = Field(
        default=3.0, ge=0, description="Quiet time after which a group of biases or darks is combined"
    )
    match_run_nights: int = Field(
        default=14, ge=1, description="Nights that count as one observing run (level L3)"
    )

    # Reducing.
    engine: str = Field(
        default="builtin",
        description="What reduces frames: 'builtin', 'local' or a name that PAWS_ENGINES gives",
    )
    engines: dict[str, str] = Field(
        default_factory=dict,
        description='Further engines by name, as JSON: {"2dfdr-7.2": "docker:IMAGE"} or "local:PROGRAM"',
    )
    engine_nights: dict[Annotated[str, Field(pattern=r"^[0-9]{8}$")], str] = Field(
        default_factory=dict,
        description='Engine from a night on, as JSON: {"20260601": "2dfdr-8.0"}; PAWS_ENGINE reduces nights before',
    )
    engine_version: str = Field(
        default="", description="Version recorded with products; empty asks the engine"
    )
    engine_parameters: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="2dFdr parameters for every reduction, as JSON"
    )
    aaorun: str = Field(default="aaorun", description="Command of the local engine")
    runner_slots: int = Field(default=2, ge=1, le=64, description="Reductions at once in a runner")
    runner_host_slots: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="Reductions at once on a machine, whatever the number of runners there; 0 sets no limit",
    )
    runner_deadline: float = Field(default=1200.0, gt=0, description="Longest time for one reduction")
    runner_attempts: int = Field(
        default=3, ge=1, le=20, description="Tries before a reduction is reported as failed"
    )
    runner_backoff: float = Field(
        default=2.0, gt=0, description="Wait before the second try; doubles with each"
    )
    runner_heartbeat: float = Field(default=2.0, gt=0, description="Between a runner's signs of life")
    runner_lease: float = Field(
        default=10.0, gt=0, description="Silence after which a runner's reductions are taken back"
    )

    # Docker.
    docker_host: str = Field(
        default="",
        description="Docker daemon, such as tcp://host:2376; empty takes DOCKER_HOST or the local one",
    )
    docker_user: str = Field(
        default="",
        pattern=r"^([0-9]+:[0-9]+)?$",
        description="UID:GID that works in containers; empty takes the runner's own, or that of the data folder",
    )
    docker_memory: int = Field(default=4096, ge=32, description="Most memory of a container, MB")
    docker_cpus: float = Field(default=2.0, gt=0, description="Most processors that a container uses")
    docker_pids: int = Field(default=256, ge=16, description="Most processes and threads in a container")
    docker_scratch: int = Field(
        default=1024, ge=8, description="Size of the scratch in a container's memory, MB"
    )
    docker_commands: int = Field(
        default=200, ge=1, description="Commands after which a container is replaced"
    )
    docker_growth: int = Field(
        default=256, ge=1, description="MB by which an idle container may grow before it is replaced"
    )
    docker_paths: dict[str, str] = Field(
        default_factory=dict,
        description="Our folders as the daemon's machine knows them, as JSON, where they differ",
    )
    docker_timeout: float = Field(default=30.0, gt=0, description="Longest wait for an answer of the daemon")
    docker_patience: float = Field(
        default=120.0, ge=0, description="How long a daemon that is away is waited for"
    )

    # Tidying up.
    tidy_versions: float = Field(
        default=0.0,
        ge=0,
        description="Days that superseded products are kept; 0 keeps them for ever. Current ones always stay",
    )
    tidy_logs: float = Field(
        default=90.0, ge=0, description="Days that logs which nothing names are kept; 0 keeps them for ever"
    )

    # Mail.
    mail_to: str = Field(default="observers@localhost", description="Who gets messages")
    mail_from: str = Field(default="paws@localhost", description="Who sends them")
    smtp_url: SecretStr = Field(
        default=SecretStr(""), description="smtp://host:port; empty writes to the outbox folder"
    )

    # Web.
    web_host: str = Field(default="127.0.0.1", description="Address that the web server binds")
    web_port: int = Field(
        default=8080, ge=0, le=65535, description="Port of the web server; 0 takes a free one"
    )
    web_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_words)] = Field(
        default=(),
        description="Host names that the web server answers to, separated by ','; none means any",
    )
    web_queue: int = Field(
        default=256, ge=8, description="Status events kept for a slow websocket before it is resynchronised"
    )
    web_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s/?#@]+)?/?$",
        description="Address under which people reach the pages, such as https://paws.example.org; for links in mails",
    )

    sky_images: str = Field(
        default="https://alasky.cds.unistra.fr/DSS/DSSColor",
        pattern=r"^(https?://[^\s;,'\"/]+(/[^\s;,'\"]*)?)?$",
        description="Survey (HiPS) behind the explorer's fields; empty: nobody is asked for images",
    )

    name_resolver: str = Field(
        default="https://cds.unistra.fr/cgi-bin/nph-sesame",
        pattern=r"^(https?://[^\s?#@]+)?$",
        description="Sesame service that is asked for the coordinates of an object's name; empty asks nobody",
    )
    name_resolver_deadline: float = Field(
        default=5.0, gt=0, le=60, description="Longest wait for the coordinates of a name"
    )

    # Requests.
    webhook_networks: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_networks)] = Field(
        default=(),
        description="Private networks that webhooks of requests may be sent to, such as 10.2.0.0/16, separated by ','",
    )
    token: SecretStr = Field(
        default=SecretStr(""),
        description="API token that `paws request` sends, of one's account page; not needed where access is open",
    )

    # Who may see what.
    access: Literal["open", "accounts", "open-to-everyone"] = Field(
        default="open",
        description="'open' asks nobody who they are and serves this machine alone; 'accounts' shows proprietary"
        " data to their proposals only; 'open-to-everyone' is open on any address",
    )
    session_idle: float = Field(
        default=43_200.0, ge=60, description="How long a session lasts without being used"
    )
    session_lifetime: float = Field(
        default=1_209_600.0, ge=60, description="How long a session lasts in any case"
    )
    oidc_issuer: str = Field(
        default="",
        pattern=r"^(https?://[^\s?#@]+)?$",
        description="Issuer of OpenID Connect, such as https://login.example.org; empty: local accounts only",
    )
    oidc_client_id: str = Field(default="", description="Our name at the issuer")
    oidc_client_secret: SecretStr = Field(default=SecretStr(""), description="Our secret at the issuer")
    oidc_name: str = Field(
        default="your institution", description="What the issuer is called on the sign-in page"
    )
    oidc_create: bool = Field(
        default=False, description="Whether people the issuer vouches for get an account by themselves"
    )
    pdf_room: int = Field(
        default=5000,
        ge=10,
        description="MB that PDFs of spectra may take; those not asked for the longest are removed first",
    )
    vendor_dir: Path | None = Field(
        default=None,
        description="Folder of the libraries that `paws vendor` brings for the pages; by default in the environment",
    )

    # Logs.
    log_format: Literal["text", "json"] = Field(default="text", description="'json' for programs")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least level that is written"
    )

    @cached_property
    def products_dir(self) -> Path:
        """Tree of current products, as PAWS users know it."""
        return self.data_dir / "products"

    @cached_property
    def versions_dir(self) -> Path:
        """Every version of every product, never overwritten. On the same file system as the tree."""
        return self.data_dir / "products" / ".versions"

    @cached_property
    def work_dir(self) -> Path:
        """Private work folders of running reductions."""
        return self.data_dir / "work"

    @cached_property
    def logs_dir(self) -> Path:
        """Logs of processes and of reductions."""
        return self.data_dir / "logs"

    @cached_property
    def outbox_dir(self) -> Path:
        """Messages, where no mail server is set."""
        return self.data_dir / "outbox"

    @cached_property
    def cache_dir(self) -> Path:
        """What can be made again at any time: PDFs of spectra."""
        return self.data_dir / "cache"

    @cached_property
    def tap_dir(self) -> Path:
        """Jobs of queries: their uploads and results."""
        return self.data_dir / "tap"

    @cached_property
    def run_dir(self) -> Path:
        """Locks and the runtime file of a running system."""
        return self.data_dir / "run"

    def check_access(self) -> None:
        """Refuse to show everything to other machines unless that is meant.

        Raises
        ------
        ConfigurationError
            If access is open and the web server binds an address that others reach.
        """
        if self.access == "open" and not is_loopback(self.web_host):
            raise ConfigurationError(
                f"PAWS_WEB_HOST={self.web_host} lets other machines in, and PAWS_ACCESS=open would show them everything."
                " Set PAWS_ACCESS=accounts and make accounts (paws user add), or, if all is public here,"
                " PAWS_ACCESS=open-to-everyone."
            )

    @property
    def needs_accounts(self) -> bool:
        """Whether people have to say who they are."""
        return self.access == "accounts"

    def topic(self, name: str) -> str:
        """Full name of a topic."""
        return f"{self.topic_prefix}{name}"

    def require_database(self) -> str:
        """Database DSN.

        Raises
        ------
        ConfigurationError
            If none is set.
        """
        url = self.database_url.get_secret_value()
        if not url:
            raise ConfigurationError(
                "No database is set. Set PAWS_DATABASE_URL, or use `paws up`, which brings its own."
            )
        return url

    def require_broker(self) -> str:
        """Broker as ``host:port[,host:port]``.

        Raises
        ------
        ConfigurationError
            If none is set.
        """
        if not self.broker_url:
            raise ConfigurationError(
                "No broker is set. Set PAWS_BROKER_URL, or use `paws up`, which brings its own."
            )
        return self.broker_url.removeprefix("kafka://")

    def masked(self) -> dict[str, Any]:
        """All settings as plain values, secrets masked: for printing."""
        return self.model_dump(mode="json")


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment, with overrides from a command line.

    Raises
    ------
    ConfigurationError
        If a value is wrong, or the environment holds a ``PAWS_`` variable that is no setting.
    """
    known = {f"{_PREFIX}{name}".upper() for name in Settings.model_fields}
    unknown = sorted(name for name in os.environ if name.startswith(_PREFIX) and name.upper() not in known)
    if unknown:
        raise ConfigurationError(
            f"No such setting: {', '.join(unknown)}. `paws settings` lists those that exist; unset or rename it."
        )
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"Setting {_PREFIX}{name.upper()} is wrong: {first['msg']}.") from error


def as_environment(settings: Settings) -> dict[str, str]:
    """Variables that give a child process the same settings: those that are not left at their default."""
    return {
        f"{_PREFIX}{name.upper()}": as_text(getattr(settings, name))
        for name, field in Settings.model_fields.items()
        if getattr(settings, name) != field.default
    }
