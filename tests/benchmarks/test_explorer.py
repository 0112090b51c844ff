"""How long a spectrum takes from the click to the screen, in a real browser, on a field of full size."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.vocabulary import Arm
from tests.browser.explorer.stand import VENDOR, launched, standing, turned_to
from tests.support.explorer_files import write_field

pytestmark = [pytest.mark.benchmark, pytest.mark.slow, pytest.mark.timeout(600)]

# From the click on a row to the frame of the screen after everything is drawn. Every thirteenth row: no neighbour,
# so that nothing was fetched before.
_CLICKS = """async () => {
  const times = [];
  for (let i = 0; i < 30; i += 1) {
    const wanted = 5 + i * 13;
    const row = document.querySelector(`#fibres tr[data-fibre="${wanted}"]`);
    const drawn = new Promise((resolve) => {
      const watch = new MutationObserver(() => {
        if (document.documentElement.dataset.ready !== String(wanted)) return;
        watch.disconnect();
        requestAnimationFrame(() => setTimeout(resolve, 0));
      });
      watch.observe(document.documentElement, { attributes: true });
    });
    const start = performance.now();
    row.click();
    await drawn;
    times.push(performance.now() - start);
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  return times;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as found:
        yield found


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    with turned_to(browser) as found:
        yield found


def worked(session: Any) -> float:
    """Seconds that the page's thread has worked."""
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"])


@pytest.mark.parametrize(
    ("name", "arm", "samples", "more"),
    [
        ("one arm", Arm.BLUE, 2048, ""),
        ("spliced", None, 5037, ""),
        ("spliced, all layers and lines", None, 5037, "&layers=error,sky,raw&lines=emission,absorption,night&smooth=5"),
    ],
)  # fmt: skip
def test_spectrum_appears_soon_after_the_click(
    page: Any,
    tmp_path: Path,
    name: str,
    arm: Arm | None,
    samples: int,
    more: str,
) -> None:
    write_field(tmp_path / "field", arm=arm, samples=samples)
    with standing(tmp_path, vendor_dir=VENDOR) as stand:
        page.goto(f"{stand.url}/explorer?product={stand.product('field/')}&view=plate{more}")
        page.wait_for_selector("html[data-ready]")
        page.wait_for_selector("html[data-measured]")
        drawn_by = "plotly" if page.evaluate("Boolean(window.Plotly)") else "the plain plot"
        session = page.context.new_cdp_session(page)
        # Time that the page's thread works, whatever else the machine does.
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        before = worked(session)
        times = np.array(page.evaluate(_CLICKS))
        work = (worked(session) - before) / times.size * 1000
    load = os.getloadavg()[0]
    print(
        f"\n{name}, {samples} pixels, {drawn_by}: median {np.median(times):.0f} ms,"
        f" 95 % within {np.percentile(times, 95):.0f} ms, longest {times.max():.0f} ms (goal 150; load {load:.1f}); the page's own work {work:.0f} ms"
    )
    assert times.size == 30
