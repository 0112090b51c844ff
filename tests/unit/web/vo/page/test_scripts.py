"""The query page's pure JavaScript, run by Node.js."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord

from web.pages.render import STATIC

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="Node.js is not installed")
VOCABULARY = {
    "words": ["SELECT", "FROM", "WHERE", "ORDER BY"],
    "functions": [{"name": "DISTANCE", "about": "", "form": ""}],
    "tables": [
        {"name": "ivoa.obscore", "about": "", "columns": [{"name": "s_ra"}, {"name": "s_dec"}]},
        {"name": 'mine."odd.one"', "about": "", "columns": [{"name": '"two words"'}]},
    ],
}


def run(names: str, module: str, body: str, given: Any = None) -> Any:
    """What a piece of JavaScript returns that uses a module of the page."""
    address = (STATIC / "query" / f"{module}.js").as_uri()
    code = (
        f"import {{ {names} }} from {json.dumps(address)};\nconst given = {json.dumps(given)};\n"
        "const plain = (_, value) => (ArrayBuffer.isView(value) ? [...value] : value);\n"
        f"const work = () => {{ {body} }};\nconsole.log(JSON.stringify(work(), plain));"
    )
    done = subprocess.run(
        [NODE or "node", "--input-type=module", "-"], input=code, capture_output=True, text=True, timeout=120, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_pieces_are_the_text_again_whatever_it_is() -> None:
    texts = [
        "SELECT a.\"b\"\"c\", 'it''s' -- so\nFROM t WHERE x < 1.5e-3",
        "'open",
        '"open',
        "\U0001d54f é \t\r\n;{}--",
        "",
    ]
    found = run(
        "pieces", "words", "return given.map((text) => pieces(text, new Set(['SELECT']), new Set()))", texts
    )
    assert ["".join(piece["text"] for piece in one) for one in found] == texts
    kinds = {piece["text"]: piece["kind"] for piece in found[0]}
    assert kinds["SELECT"] == "word"
    assert kinds["'it''s'"] == "string"
    assert kinds["1.5e-3"] == "number"
    assert kinds["-- so"] == "remark"
    assert kinds['"b""c"'] == "name"


STANDS = (
    ("SEL|", "SELECT"),
    ("SELECT s_d| FROM ivoa.obscore", "s_dec"),
    ("SELECT o.| FROM ivoa.obscore AS o", "s_ra"),
    ("SELECT o.s_d| FROM ivoa.obscore o WHERE 1=1", "s_dec"),
    ("SELECT obscore.| FROM ivoa.obscore", "s_ra"),
    ("SELECT ivoa.obscore.| FROM x", "s_ra"),
    ("SELECT * FROM |", "ivoa.obscore"),
    ("SELECT * FROM obs|", "ivoa.obscore"),
    ("SELECT * FROM ivoa.|", "obscore"),
    ("SELECT * FROM mine.|", '"odd.one"'),
    ('SELECT m.| FROM mine."odd.one" AS m', '"two words"'),
    ("SELECT * FROM ivoa.obscore AS a JOIN ivoa.obscore AS bee ON be|", "bee"),
    ("SELECT dist| FROM t", "DISTANCE"),
    ("SELECT 'sel|", None),
    ("SELECT 1 -- sel|", None),
    ("SELECT 12|", None),
    ("SELECT nothing.|", None),
)
"""Queries, | where the caret is, and the best offer."""


def test_what_can_stand_somewhere() -> None:
    given = {
        "places": [[query.replace("|", ""), query.index("|")] for query, _ in STANDS],
        "vocabulary": VOCABULARY,
    }
    body = "return given.places.map(([text, at]) => offers(text, at, given.vocabulary))"
    found = run("offers", "words", body, given)
    best = [
        (query, one["offers"][0]["text"] if one["offers"] else None)
        for (query, _), one in zip(STANDS, found, strict=True)
    ]
    assert best == list(STANDS)
    assert all(
        one["from"] <= query.index("|") <= one["to"] for (query, _), one in zip(STANDS, found, strict=True)
    )


def test_the_sky_on_paper_is_that_of_others() -> None:
    random = np.random.default_rng(6)
    ra, dec = random.uniform(0, 2 * np.pi, 60), np.arcsin(random.uniform(-1, 1, 60))
    dec[:2] = np.pi / 2, -np.pi / 2
    given = {"ra": ra.tolist(), "dec": dec.tolist()}
    body = "return given.ra.map((ra, i) => [mollweide(ra, given.dec[i]), around(ra, given.dec[i], 1, -0.5)])"
    found = np.array(run("mollweide, around", "projection", body, given))
    # Mollweide's areas are the sphere's: where y is, a share of the hemisphere lies below it.
    theta = np.arcsin(found[:, 0, 1])
    assert np.allclose(2 * theta + np.sin(2 * theta), np.pi * np.sin(dec), atol=1e-6)
    assert np.allclose(found[:, 0, 0], -(2 / np.pi) * (ra - np.pi) * np.cos(theta), atol=1e-6)
    centre, places = SkyCoord(1 * units.rad, -0.5 * units.rad), SkyCoord(ra * units.rad, dec * units.rad)
    assert np.allclose(np.hypot(*found[:, 1].T), centre.separation(places).rad)
    angle = np.arctan2(-found[:, 1, 0], found[:, 1, 1])
    assert np.allclose(
        np.exp(1j * angle), np.exp(1j * centre.position_angle(places).rad)
    )  # from north to east


def test_a_field_across_right_ascension_0_has_its_middle_there() -> None:
    found = run("middle", "projection", "return middle([0.02, 2 * Math.PI - 0.02, NaN], [0, 0, 1])")
    assert found["ra"] % (2 * np.pi) == pytest.approx(0, abs=1e-9) or found["ra"] == pytest.approx(2 * np.pi)
    assert found["radius"] == pytest.approx(0.02)
    assert run("middle", "projection", "return middle([NaN], [0])") is None
    assert run("middle", "projection", "return middle([0, Math.PI], [0, 0])") is None


def test_ticks_are_round() -> None:
    assert run("ticks", "projection", "return ticks(-0.25, 1.02, 6)") == [0, 0.5, 1]
    assert run("ticks", "projection", "return ticks(3, 3, 6)") == [3]
    assert run("ticks", "projection", "return ticks(187.7012, 187.7031, 5)") == [187.7015, 187.702, 187.7025, 187.703]  # fmt: skip


def test_values_are_read_ordered_and_told() -> None:
    big = '{"data":[[9007199254740993,1],[2,null],[-0.5,"b"]]}'
    found = run("read", "columns", "return read(given)", big)
    assert found["data"][1:] == [[2, None], [-0.5, "b"]]
    assert found["data"][0][0] in ("9007199254740993", 9007199254740992)  # where engines tell the source
    rows = [[3], [None], [1], [2], [None], [1]]
    body = "return [order(given, 0, false), order(given, 0, true)]"
    assert run("order", "columns", body, rows) == [[2, 5, 3, 0, 1, 4], [0, 3, 2, 5, 1, 4]]
    told = run("beside", "columns", "return given.map(([kind, value]) => beside(kind, value))", [
        ["moment", "2026-03-12T15:30:00.5"], ["moment", "2026-07-12T15:30:00Z"], ["day", 61111.5], ["day", 5.0],
        ["moment", "nonsense"], ["moment", None], ["number", 61111.5],
    ])  # fmt: skip
    assert told == ["02:30 Sydney", "01:30 Sydney", "2026-03-12 12:00 UT, 23:00 Sydney", "", "", "", ""]
    links = ["https://a.org/x", "javascript:alert(1)", "data:text/html,x", None, 7]
    assert run("webAddress", "columns", "return given.map(webAddress)", links) == [True] + [False] * 4


def test_positions_are_found_by_what_columns_are() -> None:
    def column(name: str, ucd: str = "", unit: str = "deg", **more: str) -> dict[str, str]:
        return {"name": name, "ucd": ucd, "unit": unit, "datatype": "double", **more}

    cases = [
        [column("a", "pos.eq.ra"), column("b", "pos.eq.dec"), column("c", "pos.eq.ra;meta.main"), column("d", "pos.eq.dec;meta.main")],
        [column("RA"), column("Dec")],
        [column("ra", unit="h"), column("dec")],
        [column("x"), column("p", arraysize="2", xtype="point")],
        [column("x")],
    ]  # fmt: skip
    found = run("position", "columns", "return given.map(position)", cases)
    assert found == [{"ra": 2, "dec": 3}, {"ra": 0, "dec": 1}, None, {"point": 1}, None]


def test_history_keeps_the_newest_and_what_is_starred() -> None:
    body = """
      let list = [];
      for (let i = 0; i < 130; i += 1) {
        list = added(list, { query: `q${i}`, when: i, told: "" });
        if (i === 3) list = changed(list, "q3", { star: true, name: "mine" });
      }
      list = added(list, { query: "q3", when: 999, told: "7 rows" });
      list = without(list, "q100");
      return { list, first: listed(list)[0], again: understood(JSON.stringify(list)), bad: ["{", "7", "null", "[1, {}]"].map(understood) };
    """
    found = run("added, changed, listed, understood, without", "remembered", body)
    assert len(found["list"]) == 99
    assert found["first"] == {"query": "q3", "when": 999, "told": "7 rows", "name": "mine", "star": True}
    assert {"q129", "q31"} <= {one["query"] for one in found["list"]}
    assert found["again"] == [
        {key: one[key] for key in ("query", "name", "star", "when", "told")} for one in found["list"]
    ]
    assert found["bad"] == [[], [], [], []]


def test_snippets_mean_the_query_and_nothing_else() -> None:
    query = "SELECT 'it''s', \"a\"\nFROM t WHERE x = '$(rm)' AND y = '`z`'"
    found = run("snippets", "snippets", "return snippets('http://x/tap', given, 10, null)", query)
    compile(found["pyvo"], "pyvo", "exec")
    assert f"tap.search({json.dumps(query)}, maxrec=10)" in found["pyvo"]
    for name, program in (("curl", "curl"), ("stilts", "stilts")):
        told = subprocess.run(
            ["bash", "-c", f"{program}() {{ printf '%s\\0' \"$@\"; }}; {found[name]}"],
            capture_output=True, text=True, timeout=120, check=True,
        ).stdout.split("\0")  # fmt: skip
        assert f"{'QUERY' if name == 'curl' else 'adql'}={query}" in told
    mine = run("snippets", "snippets", "return snippets('http://x/tap', 'q;type=x', 10, 'mine')")
    assert "--form-string 'QUERY=q;type=x'" in mine["curl"]
    assert 'uploads={"mine": my_table}' in mine["pyvo"]
    assert "upname1=mine" in mine["stilts"]
    assert "-F UPLOAD=mine,param:table" in mine["curl"]
