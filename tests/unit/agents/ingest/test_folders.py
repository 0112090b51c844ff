from __future__ import annotations

from pathlib import Path

import pytest

from agents.ingest.folders import is_network_file_system, look, sweep


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def found(root: Path, nights: int | None) -> set[str]:
    return {str(Path(item.path).relative_to(root)) for item in sweep(str(root), nights).sightings}


def test_only_the_newest_nights_are_looked_through(tmp_path: Path) -> None:
    make(
        tmp_path,
        "991231/ccd_1/31dec10001.fits",
        "260311/ccd_1/11mar10001.fits",
        "260312/ccd_2/12mar20001.fits",
        "ccd_1/12mar10009.fits",
        "12mar10010.fits",
    )
    always = {"ccd_1/12mar10009.fits", "12mar10010.fits"}
    assert found(tmp_path, 1) == {"260312/ccd_2/12mar20001.fits"} | always
    assert found(tmp_path, 2) == {"260312/ccd_2/12mar20001.fits", "260311/ccd_1/11mar10001.fits"} | always
    assert len(found(tmp_path, None)) == 5


def test_links_are_followed_and_no_folder_is_visited_twice(tmp_path: Path) -> None:
    make(tmp_path, "store/12mar10001.fits")
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "260312").symlink_to(tmp_path / "store")
    (raw / "again").symlink_to(tmp_path / "store")
    (tmp_path / "store" / "back").symlink_to(raw)
    assert len(sweep(str(raw), 3).sightings) == 1


def test_hidden_temporary_and_other_files_are_no_candidates(tmp_path: Path) -> None:
    make(
        tmp_path, ".hidden/12mar10001.fits", ".12mar10001.fits", "12mar10001.fits.part", "notes.txt", "b.fits"
    )
    assert found(tmp_path, 3) == {"b.fits"}


def test_a_folder_with_a_frames_name_is_a_candidate_and_not_entered(tmp_path: Path) -> None:
    make(tmp_path, "12mar10001.fits/12mar10002.fits")
    assert found(tmp_path, 3) == {"12mar10001.fits"}


def test_a_folder_is_told_before_it_is_listed(tmp_path: Path) -> None:
    make(tmp_path, "260312/12mar10001.fits")

    def a_file_comes_late(path: str, _identity: tuple[int, int]) -> None:
        if path.endswith("260312"):
            make(tmp_path, "260312/12mar10002.fits")

    assert len(sweep(str(tmp_path), 3, a_file_comes_late).sightings) == 2


@pytest.mark.parametrize("make_it", ["nothing", "file"])
def test_an_absent_root_is_no_error(tmp_path: Path, make_it: str) -> None:
    root = tmp_path / "raw"
    if make_it == "file":
        root.write_text("not a folder")
    result = sweep(str(root), 3)
    assert (result.present, result.sightings) == (False, [])
    assert result.problem


def test_a_look_at_what_is_gone_or_loops(tmp_path: Path) -> None:
    loop = tmp_path / "loop.fits"
    loop.symlink_to("loop.fits")
    assert look(str(tmp_path / "gone.fits")) is None
    sighting = look(str(loop))
    assert sighting is not None
    assert sighting.signature.size == 0


@pytest.mark.parametrize(
    ("path", "remote"),
    [
        ("/data/raw/260312", True),
        ("/data", False),
        ("/home/x", False),
        ("/my disk/raw", True),
        ("/datax", False),
    ],
)
def test_network_file_systems_are_known_by_their_mount(tmp_path: Path, path: str, remote: bool) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda / ext4 rw 0 0\n/dev/sdb /data xfs rw 0 0\nserver:/raw /data/raw nfs4 rw 0 0\n"
        "//pc/disk /my\\040disk cifs rw 0 0\nshort line\n"
    )
    assert is_network_file_system(path, str(mounts)) is remote
