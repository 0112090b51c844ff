"""What every request of one web process shares."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from paws.accounts.passwords import Passwords
from paws.clock import Clock, utc_now
from paws.database import Pool
from paws.nightwatch.thresholds import load
from paws.settings import Settings
from web.accounts.desk import VisitorDesk
from web.accounts.oidc import Issuer
from web.archive.resolver import Resolver
from web.downloads.desk import DownloadDesk
from web.explorer.shelf import Shelf
from web.live.feed import Feed
from web.live.hub import Hub
from web.live.sights import Sights
from web.live.snapshot import SnapshotDesk
from web.metrics import Metrics
from web.night.desk import NightDesk
from web.operations import LagDesk
from web.storage.explorer import DatabaseShelf
from web.vendor import Vendor, vendor_dir
from web.vo.tables.publisher import PublisherDesk
from web.vo.tap.desk import TapDesk


@dataclass
class WebState:
    """Settings, connections and the hub. The connections exist once the application has started."""

    settings: Settings
    clock: Clock = utc_now
    hub: Hub = field(default_factory=Hub)
    metrics: Metrics = field(default_factory=Metrics)
    pool: Pool = None
    feed: Feed | None = None
    desk: SnapshotDesk | None = None
    sights: Sights | None = None
    lag: LagDesk = field(init=False)
    passwords: Passwords = field(default_factory=Passwords)
    vendor: Vendor = field(init=False)
    resolver: Resolver = field(init=False)
    shelf: Shelf = field(init=False)
    downloads: DownloadDesk = field(init=False)
    visitors: VisitorDesk = field(init=False)
    nights: NightDesk = field(init=False)
    tap: TapDesk = field(init=False)
    publisher: PublisherDesk = field(init=False)
    issuer: Issuer | None = field(init=False)

    def __post_init__(self) -> None:
        self.lag = LagDesk(self.settings)
        self.nights = NightDesk(self.settings, load(self.settings.thresholds), lambda: self.hub.newest)
        self.visitors = VisitorDesk(self.settings, lambda: self.clock(), self.passwords)
        self.issuer = Issuer(self.settings) if self.settings.oidc_issuer else None
        self.resolver = Resolver(self.settings)
        self.vendor = Vendor(vendor_dir(self.settings))
        self.downloads = DownloadDesk(self.settings)
        self.tap = TapDesk(self.settings, lambda: self.pool, lambda: self.clock())
        self.publisher = PublisherDesk(self.settings, lambda: self.pool)
        self.shelf = DatabaseShelf(self.settings, lambda: self.pool)

    def require_desk(self) -> SnapshotDesk:
        """The desk for snapshots, which exists once the application has started."""
        if self.desk is None:
            raise RuntimeError("expected a started application: its lifespan has not run")
        return self.desk


def web_state(connection: HTTPConnection) -> WebState:
    """The shared state, from a request or a websocket."""
    state = connection.app.state.web
    if not isinstance(state, WebState):
        raise TypeError(f"expected WebState on the application, got {type(state).__name__}")
    return state
