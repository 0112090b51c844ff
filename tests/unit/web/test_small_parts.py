"""CSV, paths, headers, formats, health, sparklines: each one idea, each a table."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.datastructures import Headers

from paws.settings import load_settings
from web.files import OutsideError, download_name, inside
from web.health import judge_feed, judge_relay
from web.pages.frames import changes, choices
from web.pages.log import csv_cell
from web.pages.render import day_and_time, local, night_words, size, ut
from web.security import same_origin
from web.sparkline import HEIGHT, WIDTH, draw, typical


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=cmd()", "'=cmd()"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ("NGC 253", "NGC 253"),
        (-1.5, -1.5),
        (None, None),
    ],
)
def test_spreadsheet_formulae_become_text(value: object, cell: object) -> None:
    assert csv_cell(value) == cell


def test_only_the_data_folder_is_served(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data")
    (tmp_path / "data" / "products").mkdir(parents=True)
    (tmp_path / "secret").write_text("x")
    (tmp_path / "data" / "link").symlink_to(tmp_path / "secret")

    assert inside(settings, "products/a.fits") == (tmp_path / "data/products/a.fits").resolve()
    for stored in ("../secret", "/etc/passwd", "products/../../secret", "link", str(tmp_path / "secret")):
        with pytest.raises(OutsideError):
            inside(settings, stored)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("p1/580V/s1/20260312-F-p1/OBJ0011red.fits", "p1-580V-s1-20260312-F-p1-OBJ0011red.fits"),
        ('a/"b;\r\n.fits', "20260312-a-_b_.fits"),
        ("../../x.fits", "20260312-x.fits"),
    ],
)
def test_download_names_are_plain(path: str, name: str) -> None:
    assert download_name("20260312", path) == name


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"host": "paws:8080"}, True),
        ({"host": "paws:8080", "origin": "http://paws:8080"}, True),
        ({"host": "paws", "origin": "https://PAWS"}, True),
        ({"host": "paws:8080", "origin": "http://evil.example"}, False),
        ({"host": "paws:8080", "origin": "http://paws:9090"}, False),
        ({"host": "paws:8080", "origin": "null"}, False),
        ({"host": "paws:8080", "origin": "file://paws:8080"}, False),
        ({"origin": "http://paws:8080"}, False),
    ],
)
def test_websockets_are_for_our_own_pages(headers: dict[str, str], allowed: bool) -> None:
    assert same_origin(Headers(headers)) is allowed


def test_times_are_ut_first_and_sydney_with_its_summer_time() -> None:
    summer = datetime(2026, 1, 10, 13, 5, 9, tzinfo=UTC)
    winter = datetime(2026, 7, 10, 13, 5, 9, tzinfo=UTC)

    assert (ut(summer), local(summer)) == ("13:05:09", "00:05")
    assert (ut(winter), local(winter)) == ("13:05:09", "23:05")
    assert ut(61111.5) == "12:00:00"
    assert (ut(None), local(None), day_and_time(None)) == ("", "", "")


def test_nights_and_sizes_in_words() -> None:
    assert night_words("20260312") == "12 March 2026"
    assert night_words("20269999") == "20269999"
    assert [size(value) for value in (12, 4_200, 17_066_880, 3 * 10**9)] == [
        "12 B",
        "4.2 kB",
        "17.1 MB",
        "3.0 GB",
    ]


def test_health_tells_what_is_wrong() -> None:
    assert judge_relay(0, 0.0).ok
    assert judge_relay(5, 2.0).ok
    stuck = judge_relay(5, 60.0)
    assert not stuck.ok
    assert "5 events" in stuck.detail
    assert judge_feed(None, True).ok
    assert judge_feed("no broker is set", False).ok
    assert not judge_feed("away", True).ok


def test_history_skips_progress_and_keeps_stages() -> None:
    def line(seq: int, state: str, **payload: Any) -> dict[str, Any]:
        return {"seq": seq, "at": None, "state": state, "payload": {"payload": payload}}

    found = changes(
        [
            line(1, "waiting", reason="no arc"),
            line(2, "running", stage="extract", reason="x"),
            line(3, "running", stage="extract", progress=0.5),
            line(4, "running", stage="sky"),
            line(5, "reduced", reason="good"),
        ]
    )

    assert [(item.state, item.detail) for item in found] == [
        ("waiting", "no arc"),
        ("running", "extract"),
        ("running", "sky"),
        ("reduced", "good"),
    ]


@pytest.mark.parametrize(
    "decision", [None, {}, {"choices": []}, {"choices": [7, None]}, {"choices": {"a": 1}}, {"choices": None}]
)
def test_decisions_without_choices_are_borne(decision: dict[str, Any] | None) -> None:
    assert choices(decision) == []


def test_choices_have_one_form() -> None:
    (found,) = choices(
        {"choices": [{"role": "arc", "level": 1, "refused": [{"frame_id": "f", "reason": "r"}]}]}
    )

    assert (found["role"], found["level"], found["age_hours"], found["job_key"]) == ("arc", 1, None, None)
    assert found["refused"][0]["reason"] == "r"


def test_sparkline_is_well_formed_whatever_the_spectrum() -> None:
    random = np.random.default_rng(1)
    spectra = random.normal(10, 1, (40, 500)).astype(np.float32)
    spectra[:, :50] = np.nan
    for values in (typical(spectra), np.full(20, np.nan), np.full(20, 3.0), np.array([1.0])):
        root = ElementTree.fromstring(draw(values))
        for line in root:
            pairs = [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
            assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in pairs)


def test_sparkline_shows_the_brighter_targets() -> None:
    faint, bright = np.ones((36, 200), np.float32), np.full((4, 200), 50, np.float32)

    assert np.all(typical(np.vstack([faint, bright])) == 50)
