from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agents.reducer.engines.docker.recipe import (
    PathNotMappedError,
    Recipe,
    creation,
    map_path,
    working_user,
)
from paws.errors import ConfigurationError
from paws.settings import load_settings

RECIPE = Recipe(
    engine="2dfdr-7.2",
    image="sha256:1",
    uid=1000,
    gid=1001,
    memory=1 << 30,
    scratch=1 << 28,
    cpus=1.5,
    pids=99,
    paths={},
)


def test_a_container_may_do_nothing_but_work():
    body = creation(RECIPE, Path("/srv/night/containers/ab"), {"a": "b"})
    host = body["HostConfig"]
    assert body["User"] == "1000:1001"
    assert body["Labels"] == {"a": "b"}
    assert body["Healthcheck"] == {"Test": ["NONE"]}
    assert (host["NetworkMode"], host["CapDrop"], host["ReadonlyRootfs"]) == ("none", ["ALL"], True)
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert (host["Memory"], host["MemorySwap"]) == (1 << 30, 1 << 30)
    assert (host["NanoCpus"], host["PidsLimit"]) == (1_500_000_000, 99)
    assert [(mount["Source"], mount["Target"], mount["ReadOnly"]) for mount in host["Mounts"]] == [
        ("/srv/night/containers/ab/in", "/inputs", True),
        ("/srv/night/containers/ab/work", "/job", False),
    ]
    assert not {"Binds", "Devices", "CapAdd", "PortBindings"} & host.keys()


def test_the_digest_tells_apart_what_was_made_in_another_way():
    changes = {
        "engine": "x",
        "image": "x",
        "uid": 5,
        "gid": 5,
        "memory": 5,
        "scratch": 5,
        "cpus": 5.0,
        "pids": 5,
    }
    digests = {RECIPE.digest, *(replace(RECIPE, **{name: value}).digest for name, value in changes.items())}
    assert len(digests) == 1 + len(changes)
    assert replace(RECIPE).digest == RECIPE.digest


@pytest.mark.parametrize(
    ("folder", "paths", "name"),
    [
        ("/srv/night/a", {}, "/srv/night/a"),
        ("/srv/night/a", {"/srv": "/disk/paws"}, "/disk/paws/night/a"),
        ("/srv/night/a", {"/srv": "/disk/paws", "/srv/night": "/fast"}, "/fast/a"),
        ("/srv", {"/srv": "/disk/paws"}, "/disk/paws"),
        ("/srvice/a", {"/srv": "/disk/paws"}, None),
    ],
)
def test_folders_are_named_as_the_daemon_knows_them(folder, paths, name):
    if name is None:
        with pytest.raises(PathNotMappedError, match="PAWS_DOCKER_PATHS"):
            map_path(Path(folder), paths)
    else:
        assert map_path(Path(folder), paths) == name


@pytest.mark.parametrize(
    ("chosen", "uid", "user"),
    [
        ("", 1000, (1000, 100)),
        ("", 0, (65534, 65534)),  # root's own folder: nobody works in it
        ("2000:2001", 0, (2000, 2001)),
        ("1000:5", 1000, (1000, 5)),
        ("0:0", 0, "root must not work"),
        ("2000:2000", 1000, "only root may give files"),
    ],
)
def test_who_works_in_a_container(chosen, uid, user, monkeypatch):
    class Owned:
        def stat(self):
            return type("Status", (), {"st_uid": 0, "st_gid": 0})()

    if isinstance(user, str):
        with pytest.raises(ConfigurationError, match=user):
            working_user(chosen, uid, 100, Owned())
    else:
        assert working_user(chosen, uid, 100, Owned()) == user


def test_a_runner_that_is_root_lets_the_owner_of_the_data_work(tmp_path):
    status = tmp_path.stat()
    expected = (65534, 65534) if status.st_uid == 0 else (status.st_uid, status.st_gid)
    assert working_user("", 0, 0, tmp_path) == expected
    assert working_user("", 0, 0, tmp_path / "not yet") == (65534, 65534)


def test_limits_come_from_the_settings(tmp_path):
    settings = load_settings(
        data_dir=tmp_path, docker_memory=100, docker_scratch=10, docker_cpus=0.5, docker_pids=20
    )
    recipe = Recipe.of(settings, "x", "sha256:2", 4)
    assert (recipe.memory, recipe.scratch) == (100 << 20, 10 << 20)
    assert (recipe.cpus, recipe.pids, recipe.image) == (0.5, 20, "sha256:2")
    # Docker refuses to give more processors than there are.
    assert Recipe.of(load_settings(data_dir=tmp_path), "x", "sha256:2", 1).cpus == 1.0


def test_a_user_is_two_numbers():
    with pytest.raises(ConfigurationError, match="PAWS_DOCKER_USER"):
        load_settings(docker_user="observer")
