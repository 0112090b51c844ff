from __future__ import annotations

import os
import stat

import pytest

from agents.reducer.engines.docker import room as room_module
from agents.reducer.engines.docker.room import Room, remove_forsaken

UID, GID = os.getuid(), os.getgid()


@pytest.fixture
def room(tmp_path):
    room = Room.make(tmp_path / "work", UID, GID)
    yield room
    room.remove()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "job"
    folder.mkdir()
    return folder


def test_a_room_shows_the_files_of_one_job(room, folder):
    (folder / "a.fits").write_text("a")
    (folder / ".owner.json").write_text("{}")
    (folder / "sub").mkdir()
    room.fill(folder, UID, GID)
    assert os.listdir(room.inputs) == ["a.fits"]
    assert (room.inputs / "a.fits").samefile(folder / "a.fits")
    assert (room.work / "a.fits").readlink().as_posix() == "/inputs/a.fits"
    (folder / "a.fits").rename(folder / "b.fits")
    room.fill(folder, UID, GID)
    assert os.listdir(room.inputs) == os.listdir(room.work) == ["b.fits"]


def test_only_plain_files_come_out(room, folder):
    (folder / "a.fits").write_text("a")
    room.fill(folder, UID, GID)
    (room.work / "ared.fits").write_text("product")
    (room.work / ".hidden").write_text("x")
    (room.work / "link.fits").symlink_to("/etc/passwd")
    (room.work / "CMD_outdir").mkdir()
    (room.work / "CMD_outdir" / "x").write_text("x")
    os.mkfifo(room.work / "pipe.fits")
    assert room.collect(folder) == ["ared.fits"]
    assert sorted(os.listdir(folder)) == ["a.fits", "ared.fits"]
    assert os.listdir(room.work) == os.listdir(room.inputs) == []


def test_what_the_user_could_not_read_is_copied(room, folder):
    (folder / "a.fits").write_text("a")
    (folder / "a.fits").chmod(0o600)
    room.fill(folder, UID + 1, GID + 1)
    shown = room.inputs / "a.fits"
    assert not shown.samefile(folder / "a.fits")
    assert stat.S_IMODE(shown.stat().st_mode) == 0o444
    assert stat.S_IMODE((folder / "a.fits").stat().st_mode) == 0o600


def test_where_no_link_can_be_a_file_is_copied(room, folder, tmp_path):
    (tmp_path / "raw.fits").write_text("raw")
    (folder / "a.fits").symlink_to(tmp_path / "raw.fits")
    (folder / "gone.fits").symlink_to(tmp_path / "gone")
    room.fill(folder, UID, GID)
    assert os.listdir(room.inputs) == ["a.fits"]
    assert (room.inputs / "a.fits").read_text() == "raw"
    assert not (room.inputs / "a.fits").is_symlink()


def test_a_room_has_one_owner(room, tmp_path):
    with pytest.raises(BlockingIOError):
        Room.take_over(tmp_path / "work", room.name)
    assert Room.take_over(tmp_path / "work", "nowhere") is None


def test_a_room_that_was_left_can_be_taken_over(tmp_path):
    left = Room.make(tmp_path / "work", UID, GID)
    left.release()
    taken = Room.take_over(tmp_path / "work", left.name)
    assert taken is not None
    assert taken.path == left.path
    taken.remove()
    assert os.listdir(tmp_path / "work" / room_module.ROOMS) == []


def test_forsaken_rooms_go_and_others_stay(room, tmp_path):
    used, forsaken = (Room.make(tmp_path / "work", UID, GID) for _ in range(2))
    used.release()
    forsaken.release()
    assert remove_forsaken(tmp_path / "work", {used.name}) == [forsaken.name]
    assert sorted(os.listdir(tmp_path / "work" / room_module.ROOMS)) == sorted([room.name, used.name])
    assert remove_forsaken(tmp_path / "nowhere", set()) == []


def test_nobody_comes_in_but_the_user_of_the_container(room):
    assert stat.S_IMODE(room.work.stat().st_mode) == 0o700
    assert (room.work.stat().st_uid, room.work.stat().st_gid) == (UID, GID)
    assert stat.S_IMODE(room.inputs.stat().st_mode) == 0o755
