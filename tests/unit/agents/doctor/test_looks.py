"""Looks at this machine, and looks that hang or break."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agents.doctor.engines import look_at_engines
from agents.doctor.finding import State, ok
from agents.doctor.machine import look_at_data_folder, look_at_machine
from agents.doctor.main import within
from agents.doctor.services import look_at_broker, look_at_database
from paws.settings import load_settings


def by_part(findings):
    return {item.part: item for item in findings}


def test_a_good_data_folder_is_left_as_it_was(tmp_path):
    assert look_at_data_folder(tmp_path).state is State.OK
    assert list(tmp_path.iterdir()) == []


def test_a_data_folder_that_is_a_file_cannot_be_written(tmp_path):
    (tmp_path / "data").write_text("")
    found = look_at_data_folder(tmp_path / "data")
    assert (found.state, "chown" in found.advice) == (State.ERROR, True)


def test_a_data_folder_without_permission():
    # Where even root may not write.
    found = look_at_data_folder(Path("/proc"))
    assert (found.state, "PAWS_DATA_DIR" in found.advice) == (State.ERROR, True)


def test_machine(tmp_path, unused_tcp_port):
    (tmp_path / "raw").mkdir()
    settings = load_settings(
        data_dir=tmp_path, raw_dirs=(tmp_path / "raw", tmp_path / "away"), web_port=unused_tcp_port
    )
    found = by_part(look_at_machine(settings))
    assert found["python"].state is State.OK
    assert found["raw folder 1"].state is State.OK
    assert found["raw folder 2"].state is State.ERROR
    assert found["web port"].state is State.OK
    # One file system is told of once.
    assert "disk: products, work, logs" in found


def test_engines(tmp_path):
    program = tmp_path / "aaorun"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    settings = load_settings(
        engine="good", engines={"good": f"local:{program}", "gone": "local:/nowhere/aaorun", "odd": "magic:1"}
    )
    found = by_part(look_at_engines(settings))
    assert found["engine good"].state is State.OK
    assert found["engine gone"].state is State.ERROR
    assert found["engine odd"].state is State.ERROR
    assert found["docker"].state is State.SKIPPED


def test_a_docker_daemon_that_is_away(unused_tcp_port):
    settings = load_settings(
        engine="one", engines={"one": "docker:2dfdr:7.2"}, docker_host=f"tcp://127.0.0.1:{unused_tcp_port}"
    )
    found = by_part(look_at_engines(settings))
    assert found["docker"].state is State.ERROR
    assert "systemctl start docker" in found["docker"].advice
    assert found["engine one"].state is State.SKIPPED


async def test_services_that_are_not_set_or_away(unused_tcp_port):
    nothing = load_settings()
    assert by_part(await look_at_database(nothing))["database"].state is State.WARNING
    assert by_part(await look_at_broker(nothing))["broker"].state is State.WARNING
    away = load_settings(
        database_url=f"postgresql://paws@127.0.0.1:{unused_tcp_port}/paws",
        broker_url=f"kafka://127.0.0.1:{unused_tcp_port}",
        database_deadline=2.0,
    )
    database = by_part(await look_at_database(away))
    assert database["database"].state is State.ERROR
    assert database["queue"].state is State.SKIPPED
    assert by_part(await look_at_broker(away))["broker"].state is State.ERROR


async def test_a_look_that_hangs_or_breaks_is_a_finding():
    async def hangs():
        await asyncio.sleep(60)
        return []

    async def breaks():
        raise KeyError("x")

    async def works():
        return [ok("a", "b")]

    assert [item.state for item in await within("raw", hangs, 0.05)] == [State.ERROR]
    assert [item.detail for item in await within("raw", breaks)] == ["KeyError: 'x'"]
    assert await within("raw", works) == [ok("a", "b")]
