"""Writing a night: same bytes, whole files, in time."""

from __future__ import annotations

import hashlib
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from simulator import FrameExistsError, InvalidPlanError, NightPlan, plan_night, stream_night, write_night
from simulator.writer import write_slowly, write_whole

BIASES = plan_night("20260312", fields=0, biases=2, darks=0, seed=3)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.md5(path.read_bytes()).hexdigest() for path in files}


def science(seed: int = 3) -> NightPlan:
    return plan_night("20260312", exposures=1, biases=0, darks=0, arms=["red"], seed=seed)


def test_bytes_depend_on_the_seed_and_on_nothing_else(tmp_path: Path) -> None:
    write_night(tmp_path / "one", science(), jobs=1)
    write_night(tmp_path / "two", science(), tmp_path / "truth", jobs=3)
    for _ in stream_night(tmp_path / "live", science(), cadence=0.0):
        pass
    one = digests(tmp_path / "one")
    assert len(one) == 3
    assert digests(tmp_path / "two") == one
    assert digests(tmp_path / "live") == one


def test_seeds_and_dates_and_arms_differ(tmp_path: Path) -> None:
    for folder, date, seed in (("a", "20260312", 3), ("b", "20260312", 4), ("c", "20260313", 3)):
        write_night(tmp_path / folder, plan_night(date, fields=0, biases=1, darks=0, seed=seed))
    every = [digest for folder in "abc" for digest in digests(tmp_path / folder).values()]
    assert len(every) == len(set(every)) == 6


def test_frames_are_reported_in_the_order_of_the_plan(tmp_path: Path) -> None:
    frames = write_night(tmp_path, BIASES, jobs=2)
    assert [(frame.run, frame.arm) for frame in frames] == [(1, "blue"), (1, "red"), (2, "blue"), (2, "red")]
    assert all(frame.path.is_file() for frame in frames)
    assert {frame.frame_class for frame in frames} == {"BIAS"}


def test_existing_frames_are_refused_skipped_or_overwritten(tmp_path: Path) -> None:
    write_night(tmp_path, BIASES)
    first = tmp_path / "260312/ccd_1/12mar10001.fits"
    first.write_bytes(b"precious")
    with pytest.raises(FrameExistsError, match=r"12mar10001\.fits exists already"):
        write_night(tmp_path, BIASES)
    with pytest.raises(FrameExistsError):
        stream_night(tmp_path, BIASES, cadence=0.0)
    assert write_night(tmp_path, BIASES, existing="skip") == []
    assert list(stream_night(tmp_path, BIASES, cadence=0.0, existing="skip")) == []
    assert first.read_bytes() == b"precious"
    first.unlink()
    assert [frame.path for frame in write_night(tmp_path, BIASES, existing="skip")] == [first]
    assert len(write_night(tmp_path, BIASES, existing="overwrite")) == 4


class FakeClock:
    """Time that passes only in sleep."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_arms_arrive_together_and_exposures_at_the_cadence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    monkeypatch.setattr("simulator.night.time", clock)
    moments = [(frame.run, frame.arm, clock.now) for frame in stream_night(tmp_path, BIASES, cadence=20.0)]
    assert moments == [(1, "blue", 1000.0), (1, "red", 1000.0), (2, "blue", 1020.0), (2, "red", 1020.0)]


def test_a_reader_that_lingers_does_not_bring_a_burst(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    monkeypatch.setattr("simulator.night.time", clock)
    plan = plan_night("20260312", fields=0, biases=3, darks=0, arms=["red"])
    night = stream_night(tmp_path, plan, cadence=10.0)
    moments = []
    for _ in night:
        moments.append(clock.now)
        clock.now += 35.0 if len(moments) == 1 else 0.0
    assert moments == [1000.0, 1035.0, 1045.0]


def test_a_night_can_be_stopped_and_taken_up_again(tmp_path: Path) -> None:
    night = stream_night(tmp_path, BIASES, cadence=0.0)
    next(night)
    night.close()
    rest = list(stream_night(tmp_path, BIASES, cadence=0.0, existing="skip"))
    assert len(digests(tmp_path)) == 4
    assert len(rest) < 4


def test_nobody_sees_half_a_frame(tmp_path: Path) -> None:
    content = bytes(range(256)) * 40_000
    path = tmp_path / "sub" / "12mar10001.fits"
    seen: set[int] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            seen.update(
                p.stat().st_size for p in path.parent.glob("[!.]*.fits")
            ) if path.parent.exists() else None

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(20):
            write_whole(path, content)
    finally:
        stop.set()
        watcher.join()
    assert seen <= {len(content)}
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_slow_writes_grow_in_place(tmp_path: Path) -> None:
    path = tmp_path / "12mar10001.fits"
    sizes: list[int] = []
    write_slowly(path, bytes(1000), lambda: sizes.append(path.stat().st_size))
    assert all(a < b for a, b in pairwise(sizes))
    assert len(sizes) > 5
    assert sizes[-1] == 1000


@pytest.mark.parametrize("cadence", [-1.0, 4000.0, float("nan")])
def test_impossible_cadences_are_refused(tmp_path: Path, cadence: float) -> None:
    with pytest.raises(InvalidPlanError, match="cadence"):
        stream_night(tmp_path, BIASES, cadence=cadence)


def test_impossible_numbers_of_jobs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidPlanError, match="jobs"):
        write_night(tmp_path, BIASES, jobs=0)
