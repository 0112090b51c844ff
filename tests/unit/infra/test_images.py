"""What can be checked of the engines' images without a container engine."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from paws.settings import Settings

ROOT = Path(__file__).parents[3]
IMAGES = ROOT / "infra" / "images"
DOCKERFILES = sorted(IMAGES.glob("*/Dockerfile"))
SCRIPTS = [
    IMAGES / "engine" / "entrypoint",
    IMAGES / "engine" / "install-packages",
    IMAGES / "2dfdr" / "settle",
]


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("build_images", IMAGES / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_shell_and_can_be_run(script):
    subprocess.run(["sh", "-n", str(script)], check=True)
    assert script.stat().st_mode & 0o111


@pytest.mark.parametrize("engine", ["2dfdr", "quicklook"])
def test_an_engine_s_image_works_without_rights_and_tells_its_health(engine):
    text = (IMAGES / engine / "Dockerfile").read_text()
    assert re.search(r"^USER 65534:65534$", text, re.MULTILINE)
    assert re.search(r'^HEALTHCHECK .*CMD \["aaorun", "help"\]$', text, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["tini", "--", "/opt/engine/entrypoint"\]$', text, re.MULTILINE)
    assert "org.paws-live.invalid-status=" in text


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_what_is_copied_exists(dockerfile):
    top = {"2dfdr": IMAGES, "postgres": dockerfile.parent}.get(dockerfile.parent.name, ROOT)
    for line in re.findall(r"^COPY (?!--from)(.*)$", dockerfile.read_text(), re.MULTILINE):
        for source in line.split()[:-1]:
            assert "*" in source or (top / source).exists(), line


def test_quicklook_s_requirements_are_the_project_s():
    wanted = {
        line
        for line in (IMAGES / "quicklook" / "requirements.txt").read_text().splitlines()
        if not line.startswith("#")
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert wanted <= set(project["dependencies"])
    imported = {
        match
        for path in (ROOT / "quicklook").glob("*.py")
        for match in re.findall(
            r"^(?:import|from) (astropy|erfa|numba|numpy|scipy|\w+)", path.read_text(), re.MULTILINE
        )
    }
    known = {"astropy": "astropy", "erfa": "pyerfa", "numba": "numba", "numpy": "numpy", "scipy": "scipy"}
    needed = {known[name] for name in imported & known.keys()}
    assert needed == {re.split(r"[<>=]", line)[0] for line in wanted}


def test_libraries_are_found_with_what_they_need(build):
    found = {
        item.metadata["Name"].lower() for item in build.needed(IMAGES / "quicklook" / "requirements.txt")
    }
    assert {"numba", "llvmlite", "numpy", "scipy", "astropy", "pyerfa", "pyyaml"} <= found
    assert not {"pytest", "matplotlib", "docker"} & found


def test_the_digest_follows_the_sources(build, monkeypatch, tmp_path):
    (tmp_path / "quicklook").mkdir()
    (tmp_path / "quicklook" / "a.py").write_text("1")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "IMAGES", tmp_path)
    before = build.source_digest()
    (tmp_path / "quicklook" / "__pycache__").mkdir()
    (tmp_path / "quicklook" / "__pycache__" / "a.pyc").write_text("x")
    assert build.source_digest() == before
    (tmp_path / "quicklook" / "a.py").write_text("2")
    assert build.source_digest() != before


def test_a_distribution_without_aaorun_is_refused(tmp_path):
    (tmp_path / "2dfdr" / "bin").mkdir(parents=True)
    settled = subprocess.run(
        ["sh", str(IMAGES / "2dfdr" / "settle"), str(tmp_path)], capture_output=True, text=True
    )
    assert settled.returncode == 1
    assert "holds no bin/aaorun" in settled.stderr


def test_a_distribution_is_settled_whatever_its_top_folder(tmp_path):
    program = tmp_path / "2dfdr_install-7.2" / "bin" / "aaorun"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    subprocess.run(["sh", str(IMAGES / "2dfdr" / "settle"), str(tmp_path)], check=True, capture_output=True)
    assert (tmp_path / "bin" / "aaorun").samefile(program)
    assert program.stat().st_mode & 0o555 == 0o555


def _needs(library: str) -> bytes:
    """A program that needs a shared library, made of one that needs libselinux."""
    program = Path("/bin/ls").read_bytes()
    assert b"libselinux.so.1" in program
    return program.replace(b"libselinux.so.1", f"lib{library}.so.1".encode())


@pytest.mark.parametrize("brought", [False, True])
def test_libraries_that_are_missing_are_named(tmp_path, brought):
    folder = tmp_path / "2dfdr" / "bin"
    folder.mkdir(parents=True)
    (folder / "aaorun").write_text("#!/bin/sh\n")
    (folder / "reduce").write_bytes(_needs("notther"))
    (folder / "reduce").chmod(0o755)
    if brought:
        own = tmp_path / "2dfdr" / "lib"
        own.mkdir()
        (own / "libnotther.so.1").write_bytes(next(Path("/lib").rglob("libselinux.so.1")).read_bytes())
    settled = subprocess.run(
        ["sh", str(IMAGES / "2dfdr" / "settle"), str(tmp_path)], capture_output=True, text=True
    )
    assert settled.returncode == (0 if brought else 1), settled.stderr
    assert ("libnotther.so.1 => not found" in settled.stderr) is not brought
    assert ("--build-arg PACKAGES" in settled.stderr) is not brought


def test_the_runner_in_compose_speaks_of_folders_as_the_daemon_knows_them():
    text = (IMAGES.parent / "compose.docker.yaml").read_text()
    services = yaml.safe_load(text)["services"]
    runner = services["runner"]["environment"]
    known = {f"PAWS_{field.upper()}" for field in Settings.model_fields}
    assert runner.keys() | services["worker"]["environment"].keys() <= known
    assert json.loads(runner["PAWS_DOCKER_PATHS"]) == {"/data": "${PAWS_DATA_FOLDER}"}
    # What makes a reduction's key is the same for who plans and who reduces.
    assert all(
        services["worker"]["environment"][name] == runner[name] for name in ("PAWS_ENGINE", "PAWS_ENGINES")
    )
    assert services.keys() <= yaml.safe_load((IMAGES.parent / "compose.yaml").read_text())["services"].keys()
