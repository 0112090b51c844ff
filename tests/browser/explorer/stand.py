"""The explorer in front of files, a browser before it, and what is done and read on its page."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from paws.settings import load_settings
from tests.support.explorer_files import real_products
from web.explorer.app import create_explorer, loopback
from web.explorer.files import FileShelf, gather
from web.server import bind

_FLAGS = [
    *("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    # WebGL without a graphics card, for Aladin Lite.
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"),
]
VENDOR = Path(sys.prefix) / "share" / "paws-live" / "vendor"
HIPS = "https://hips.invalid/DSS"


@dataclass
class Stand:
    """A server in a thread, in front of files."""

    url: str
    shelf: FileShelf

    def product(self, part: str) -> str:
        return next(one.product_id for one in self.shelf.products if part in one.path)


@contextmanager
def standing(folder: Path, **settings: Any) -> Iterator[Stand]:
    found = loopback(load_settings(data_dir=folder / "none", sky_images=HIPS, **settings), 0)
    shelf = FileShelf(gather([folder, *real_products()])[0])
    listener = bind(found)
    server = uvicorn.Server(uvicorn.Config(create_explorer(found, shelf), log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    deadline = time.monotonic() + 120
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.started
    try:
        yield Stand(f"http://127.0.0.1:{listener.getsockname()[1]}", shelf)
    finally:
        server.should_exit = True
        thread.join(60)
        listener.close()


@contextmanager
def launched() -> Iterator[Any]:
    """Chromium, driven by playwright."""
    # Both are looked for here: where playwright is not installed, tests are skipped, and no conftest fails.
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    from tests.browser.chromium import CHROMIUM

    # Machines are slow at times.
    playwright.expect.set_options(timeout=60_000)
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=_FLAGS, timeout=60_000)
        yield found
        found.close()


@contextmanager
def turned_to(browser: Any) -> Iterator[Any]:
    """A page in it, about which the browser has nothing to complain."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.grant_permissions([])
    found = context.new_page()
    found.set_default_timeout(60_000)
    complaints: list[str] = []

    def note(message: Any) -> None:
        # That images of the sky cannot be had is told on the page; the browser says so here too.
        if message.type == "error" and "hips.invalid" not in (message.location or {}).get("url", ""):
            complaints.append(message.text)

    found.on("console", note)
    found.on("pageerror", lambda error: complaints.append(str(error)))
    found.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
    yield found
    context.close()
    assert complaints == [], "the browser complained"


def go(page: Any, stand: Stand, part: str = "blue/OBJ", more: str = "", fibre: int = 1) -> None:
    page.goto(f"{stand.url}/explorer?product={stand.product(part)}&fibre={fibre}&view=plate{more}")
    ready(page, fibre)
    page.wait_for_selector("html[data-measured]")


def ready(page: Any, fibre: int) -> None:
    page.wait_for_selector(f'html[data-ready="{fibre}"]')


def here(page: Any) -> str:
    """Address of the page, as it is now."""
    return str(page.evaluate("location.href"))


def traces(page: Any) -> list[dict[str, Any]]:
    """What plotly draws, arrays in full."""
    return page.evaluate(  # type: ignore[no-any-return] - playwright answers Any
        "() => document.getElementById('plot').data.map(one => ({name: one.name, yaxis: one.yaxis ?? 'y',"
        " x: Array.from(one.x), y: Array.from(one.y, v => Number.isFinite(v) ? v : null)}))"
    )


def eventually(found: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.05)
