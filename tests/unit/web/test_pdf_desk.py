"""The desk that keeps PDFs: one drawing for all who ask, room, and processes that hang or die."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from paws.errors import InvalidInputError
from schemas.vocabulary import Arm, ProductKind
from tests.support.night_files import write_product_file
from web.pdf import desk as desk_module
from web.pdf.desk import BusyError, PdfDesk, make_room

SUM = "ab" * 32


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("desk") / "OBJ0008red.fits"
    write_product_file(path, ProductKind.OBJECT, Arm.BLUE, 8, 6, 200)
    return path


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[PdfDesk]:
    found = PdfDesk(tmp_path / "pdf", 10_000_000)
    yield found
    await found.close()


async def test_one_drawing_for_all_who_ask(desk: PdfDesk, product: Path) -> None:
    assert desk.kept(SUM) is None
    found = await asyncio.gather(*(desk.pdf(SUM, product) for _ in range(5)))

    assert set(found) == {desk.place(SUM)}
    assert found[0].read_bytes().startswith(b"%PDF-1.7")
    assert desk._made == 1
    assert desk.kept(SUM) == desk.place(SUM)
    first = desk._process
    await desk.pdf("cd" * 32, product)
    assert desk._process is first, "the process is kept warm"


async def test_what_cannot_be_drawn_is_told_and_not_tried_at_once_again(
    desk: PdfDesk, product: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInputError, match="gone"):
        await desk.pdf(SUM, tmp_path / "none.fits")
    assert "gone" in (desk.failure(SUM) or "")
    await desk.pdf("cd" * 32, product)
    assert desk.failure("cd" * 32) is None


async def test_process_that_dies_is_replaced(desk: PdfDesk, product: Path) -> None:
    await desk.pdf(SUM, product)
    assert desk._process is not None
    os.kill(desk._process.pid, signal.SIGSTOP)
    task = desk.start("cd" * 32, product)
    # It is asked: one that is dead before that is replaced without a word.
    async with asyncio.timeout(120):
        while not (desk._idle and desk._idle.cancelled()):  # noqa: ASYNC110 - the desk tells no event
            await asyncio.sleep(0.001)
    os.kill(desk._process.pid, signal.SIGKILL)
    with pytest.raises(InvalidInputError, match="ended by itself"):
        await task
    await desk.pdf("ef" * 32, product)


async def test_process_that_hangs_is_ended(
    desk: PdfDesk, product: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.pdf(SUM, product)
    process = desk._process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    monkeypatch.setattr(desk_module, "_DEADLINE", 0.1)
    with pytest.raises(InvalidInputError, match="too long"):
        await desk.pdf("cd" * 32, product)
    assert process.returncode == -signal.SIGKILL


async def test_queue_is_bounded(desk: PdfDesk, product: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "_MOST_WAITING", 1)
    task = desk.start(SUM, product)
    with pytest.raises(BusyError):
        desk.start("cd" * 32, product)
    await task


async def test_closing_ends_what_is_under_way(tmp_path: Path, product: Path) -> None:
    desk = PdfDesk(tmp_path / "pdf", 10_000_000)
    waiting = asyncio.create_task(desk.pdf(SUM, product))
    await asyncio.sleep(0.05)
    await desk.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert desk._process is None
    assert not list((tmp_path / "pdf").rglob(".*"))


def test_room_is_made_by_what_was_not_asked_for_longest(tmp_path: Path) -> None:
    for number in range(4):
        path = tmp_path / "aa" / f"{number}.pdf"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(1000))
        os.utime(path, (1000 + number, 1000 + number))
    os.utime(tmp_path / "aa" / "0.pdf", (5000, 5000))

    assert make_room(tmp_path, 4000) == 0
    assert make_room(tmp_path, 2500) == 2
    assert sorted(path.name for path in tmp_path.rglob("*.pdf")) == ["0.pdf", "3.pdf"]
