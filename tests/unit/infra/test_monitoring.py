"""Dashboard and alerts name figures that exist, and systemd understands the units."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from paws.operations import Disk, Work
from paws.settings import Settings
from web.metrics import Metrics

INFRA = Path(__file__).parents[3] / "infra"
DASHBOARD = json.loads((INFRA / "grafana" / "paws-live.json").read_text())
ALERTS = yaml.safe_load((INFRA / "prometheus" / "alerts.yml").read_text())
UNITS = sorted(path for path in (INFRA / "systemd").iterdir() if path.suffix != ".example")
QUERIES = {
    **{
        f"panel {panel['title']}, {target['refId']}": target["expr"]
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    },
    **{f"alert {rule['alert']}": rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]},
}


@pytest.fixture(scope="module")
def figures():
    """Every figure that a web process tells, with its labels."""
    metrics = Metrics()
    metrics.requests.labels("/", "GET", "200").observe(0.1)
    metrics.set_database(
        {
            "frames": [(("reduced",), 1)],
            "reductions": [(("reduce_object", "failed"), 1)],
            "queued": 1,
            "running": 1,
            "requests": [(("Finished",), 1)],
            "webhooks": 1,
            "outbox_waiting": 1,
            "outbox_lag": 1.0,
        }
    )
    metrics.operations.set_work(
        Work(
            jobs={("reduce-builtin", "todo"): 1},
            lease_ages=[1.0],
            phases={("reduce_object", "engine", 0.5): 1.0, ("reduce_object", "engine", 0.95): 1.0},
            ended={("reduce_object", "succeeded"): 1},
            failures={"engine_failed": 1},
        )
    )
    metrics.operations.set_lag({"frames.arrived": 1})
    metrics.operations.set_disks({"work": Disk(Path("/"), 1, 2)})
    found = {}
    for line in metrics.text().decode().splitlines():
        if match := re.match(r"(\w+)(?:\{(.*)\})? ", line):
            found.setdefault(match[1], set()).update(re.findall(r"(\w+)=\"", match[2] or ""))
    return found


@pytest.mark.parametrize("where", QUERIES)
def test_every_figure_asked_for_exists_with_its_labels(where, figures):
    query = QUERIES[where]
    names = re.findall(r"\bpaws_\w+", query)
    assert names
    assert set(names) <= figures.keys()
    labels = set().union(*(figures[name] for name in names))
    for inside in re.findall(r"\bby \(([^)]*)\)", query):
        assert {label.strip() for label in inside.split(",")} <= labels
    for inside in re.findall(r"\{([^}]*)\}", query):
        assert set(re.findall(r"(\w+)!?=", inside)) <= labels


def test_every_figure_is_shown(figures):
    """What nobody looks at need not be told."""
    asked = " ".join(QUERIES.values())
    own = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in figures if name.startswith("paws_")}
    assert {name for name in own if name not in asked} == set()


def test_panels_do_not_overlap():
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_units_are_understood_by_systemd(tmp_path):
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd is not installed")
    for unit in UNITS:
        # Our program is not installed here; that it exists is looked at too.
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/paws/bin/paws", "/bin/true"))
    files = [str(tmp_path / unit.name.replace("@.", "@1.")) for unit in UNITS]
    done = subprocess.run([verify, "verify", *files], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "unit", [unit for unit in UNITS if unit.suffix == ".service"], ids=lambda unit: unit.name
)
def test_units_restart_and_stop_in_order(unit):
    text = unit.read_text()
    assert "NoNewPrivileges=yes" in text
    if "Type=oneshot" not in text:
        assert "Restart=always" in text
        assert "StartLimitIntervalSec=0" in text
        assert "KillMode=mixed" in text
        assert "TimeoutStopSec=60" in text


def test_the_example_settings_exist():
    text = (INFRA / "systemd" / "paws.env.example").read_text()
    given = set(re.findall(r"^(PAWS_\w+)=", text, re.MULTILINE))
    assert given <= {f"PAWS_{field.upper()}" for field in Settings.model_fields}
