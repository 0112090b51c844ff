"""Debian's Chromium, driven by playwright: what all tests of pages share."""

from __future__ import annotations

import shutil

import pytest

playwright_api = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
# Machines are slow at times, and what is waited for comes at once elsewhere.
PATIENCE = 60_000
playwright_api.expect.set_options(timeout=PATIENCE)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
needs_chromium = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: chromium)"),
]
LOOKS = ("dark", "red", "light")
SERIOUS = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
  .filter(one => ['serious', 'critical'].includes(one.impact))
  .map(one => `${one.id}: ${one.nodes.slice(0, 3).map(node => node.html.slice(0, 140) + ' ' + (node.any[0]?.message ?? '')).join(' | ')}`)"""
"""What of a page keeps people out, once axe-core is in it."""
