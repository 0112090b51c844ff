"""Small real frames and reductions for tests of the reducer, and an engine that needs no time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from blake3 import blake3

from agents.reducer.engines import EngineResult
from agents.reducer.intake.storage import take_request
from paws.database import Pool
from schemas.events import ReductionRequested
from schemas.frames import Frame, frame_id
from schemas.reductions import (
    CalibrationChoice,
    FrameInput,
    Layout,
    ParameterValue,
    ProductInput,
    Reduction,
    job_key,
)
from schemas.vocabulary import (
    Arm,
    CalibrationLevel,
    CalibrationRole,
    FrameClass,
    Priority,
    ProductKind,
    ReductionKind,
)

NIGHT = "20260312"
AT = datetime(2026, 3, 12, 13, 40, 24, tzinfo=UTC)
FIBRES, PIXELS = 6, 40
VERSION = "test 1"

_CLASSES = {
    ReductionKind.REDUCE_BIAS: FrameClass.BIAS,
    ReductionKind.MAKE_TLM: FrameClass.MFFFF,
    ReductionKind.REDUCE_FFLAT: FrameClass.MFFFF,
    ReductionKind.REDUCE_ARC: FrameClass.MFARC,
    ReductionKind.REDUCE_OBJECT: FrameClass.MFOBJECT,
}
_PRODUCTS = {
    ReductionKind.REDUCE_BIAS: ProductKind.BIAS,
    ReductionKind.MAKE_TLM: ProductKind.TLM,
    ReductionKind.REDUCE_FFLAT: ProductKind.FFLAT,
    ReductionKind.REDUCE_ARC: ProductKind.ARC,
    ReductionKind.REDUCE_OBJECT: ProductKind.OBJECT,
    ReductionKind.COMBINE_SPECTRA: ProductKind.COMBINED,
    ReductionKind.COMBINE_IMAGE: ProductKind.COMBINED_BIAS,
    ReductionKind.SPLICE: ProductKind.SPLICED,
}


def write_raw(folder: Path, run: int, arm: Arm = Arm.RED, content: bytes = b"") -> Path:
    """A file that stands for a raw frame; the fake engine does not look into it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"12mar{arm.ccd}{run:04d}.fits"
    path.write_bytes(b"SIMPLE  =                    T" + content + str(run).encode())
    return path


def frame_of(path: Path, frame_class: FrameClass = FrameClass.MFOBJECT) -> Frame:
    """The frame that a raw file is."""
    checksum = blake3(path.read_bytes()).hexdigest()
    run, arm = int(path.stem[6:]), Arm.of_ccd(int(path.stem[5]))
    return Frame(
        frame_id=frame_id(NIGHT, path.name, checksum),
        night=NIGHT,
        name=path.name,
        path=str(path),
        checksum=checksum,
        size_bytes=path.stat().st_size,
        completed_at=AT,
        frame_class=frame_class,
        arm=arm,
        run=run,
        instrument="AAOMEGA-2dF",
        exposed=900.0,
        utmjd=61111.5 + run / 100,
        grating="385R" if arm is Arm.RED else "580V",
        plate=1,
        configuration="FLD195_v03_p1.sds",
        field="FLD195_v03",
    )


def reduction_of(
    kind: ReductionKind,
    frames: Sequence[Frame] = (),
    *,
    calibrations: dict[CalibrationRole, ProductInput] | None = None,
    inputs: Sequence[ProductInput] = (),
    slot: str = "",
    parameters: dict[str, ParameterValue] | None = None,
    priority: Priority = Priority.LIVE,
    engine: str = "builtin",
    subjects: Sequence[str] = (),
) -> Reduction:
    """A reduction as the planner would make it."""
    product = _PRODUCTS[kind]
    chosen = calibrations or {}
    run = frames[0].run if frames else None
    arm = frames[0].arm if frames else None
    return Reduction(
        job_key=job_key(
            kind,
            tuple(frame.checksum for frame in frames),
            tuple(inputs),
            tuple(chosen.items()),
            parameters or {},
            engine,
            VERSION,
        ),
        slot=slot or f"{NIGHT}/{arm.ccd if arm else 0}/{run or 0:04d}/{product.value}",
        kind=kind,
        night=NIGHT,
        arm=arm,
        frames=tuple(
            FrameInput(frame_id=item.frame_id, name=item.name, path=item.path, checksum=item.checksum)
            for item in frames
        ),
        inputs=tuple(inputs),
        calibrations=tuple(
            CalibrationChoice(
                role=role,
                product=item,
                level=CalibrationLevel.SAME_PLATE,
                age_hours=-0.5,
                reason="nearest in time",
            )
            for role, item in chosen.items()
        ),
        parameters=parameters or {},
        engine=engine,
        engine_version=VERSION,
        priority=priority,
        products=(product,),
        layout=Layout(
            night=NIGHT,
            arm=arm,
            plate=1,
            grating="385R",
            setup=1,
            field="FLD195_v03",
            run=run,
            other_grating="580V",
        ),
        subject_frame_ids=tuple(subjects) or tuple(item.frame_id for item in frames),
        reason="all calibrations are there",
    )


def request_of(reduction: Reduction, *, force: bool = False) -> ReductionRequested:
    """The request for a reduction."""
    return ReductionRequested(
        event_id=reduction.job_key, night=reduction.night, at=AT, reduction=reduction, force=force
    )


async def stored_frame(pool: Pool, folder: Path, run: int) -> Frame:
    """A raw file in a folder and its frame in the database; the same when it is asked for again."""
    frame = frame_of(write_raw(folder, run))
    if not await pool.fetchval("SELECT 1 FROM frame WHERE frame_id = $1", frame.frame_id):
        await add_frame(pool, frame)
    return frame


async def ask_for(pool: Pool, reduction: Reduction, *, force: bool = False) -> Reduction:
    """Want a reduction and put it into the queue, as planner and intake do."""
    await want(pool, reduction)
    await take_request(pool, request_of(reduction, force=force), AT)
    return reduction


async def want(pool: Pool, reduction: Reduction, level: int | None = 1) -> None:
    """Say that the planner wants a reduction for its slot."""
    async with pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO slot (slot, night, job_key) VALUES ($1, $2, $3)"
            " ON CONFLICT (slot) DO UPDATE SET job_key = excluded.job_key",
            reduction.slot,
            reduction.night,
            reduction.job_key,
        )
        for frame in reduction.subject_frame_ids:
            await connection.execute(
                "INSERT INTO frame_plan (frame_id, night, state, reason, job_key, level)"
                " VALUES ($1, $2, 'planned', 'x', $3, $4)"
                " ON CONFLICT (frame_id) DO UPDATE SET job_key = excluded.job_key",
                frame,
                reduction.night,
                reduction.job_key,
                level,
            )


async def add_frame(pool: Pool, frame: Frame) -> None:
    """Write a frame's row as ingest does."""
    async with pool.acquire() as connection:
        await connection.execute(
            """
            INSERT INTO frame (frame_id, night, name, path, checksum, size_bytes, arm, run, frame_class, field,
                plate, grating, exposed, utmjd, document, completed_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
            """,
            frame.frame_id,
            frame.night,
            frame.name,
            frame.path,
            frame.checksum,
            frame.size_bytes,
            frame.arm.value,
            frame.run,
            frame.frame_class.value,
            frame.field,
            frame.plate,
            frame.grating,
            frame.exposed,
            frame.utmjd,
            frame.model_dump(mode="json"),
            frame.completed_at,
        )


async def events_of(pool: Pool, topic: str) -> list[dict[str, Any]]:
    """Payloads in the outbox of a topic, in order."""
    async with pool.acquire() as connection:
        rows = await connection.fetch("SELECT payload FROM outbox WHERE topic = $1 ORDER BY id", topic)
    return [row["payload"] for row in rows]


def write_spectra_product(path: Path, *, level: float = 100.0, dead: Sequence[int] = ()) -> None:
    """A small product as 2dFdr lays it out: targets, one sky fibre, one guide."""
    data = np.full((FIBRES, PIXELS), level, dtype=np.float32)
    data[:, 0] = np.nan
    data[list(dead)] = np.nan
    header = fits.Header()
    header["CRVAL1"], header["CRPIX1"], header["CDELT1"] = 6000.0, 20.0, 1.5
    header["EXPOSED"], header["UTMJD"] = 900.0, 61111.61
    header["GRATANGL"], header["CAMANGL"] = 7.38, 15.96
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("NAME", "80A", array=[f"target {i}" for i in range(FIBRES)]),
            fits.Column("RA", "1D", array=np.linspace(0.61, 0.62, FIBRES)),
            fits.Column("DEC", "1D", array=np.linspace(-0.51, -0.50, FIBRES)),
            fits.Column("TYPE", "1A", array=["P", "P", "P", "P", "S", "F"]),
            fits.Column("PIVOT", "1I", array=np.arange(101, 101 + FIBRES)),
            fits.Column("MAGNITUDE", "1D", array=np.full(FIBRES, 18.5)),
        ],
        name="FIBRES",
    )
    variance = fits.ImageHDU(np.full_like(data, level), name="VARIANCE")
    fits.HDUList([fits.PrimaryHDU(data, header), variance, table]).writeto(path, overwrite=True)


def output_of(command: Sequence[str]) -> str:
    """File that a command is to write."""
    if "-COMBINEDFILE" in command:
        return command[list(command).index("-COMBINEDFILE") + 1]
    if "-output_file" in command:
        return command[list(command).index("-output_file") + 1]
    stem = command[1].removesuffix(".fits")
    return f"{stem}tlm.fits" if command[0] == "make_tlm" else f"{stem}red.fits"


class FakeEngine:
    """Writes a small product at once. `behaviour`, by number of the run, may do something else instead."""

    name = "builtin"
    invalid_status = frozenset({2})

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.behaviour: dict[int, Callable[[Path], Any]] = {}
        self.begun = asyncio.Event()
        self.most_at_once = 0
        self.added = 0
        self._now = 0

    async def start(self) -> None:
        """Nothing to do."""

    def grow(self, slots: int) -> None:
        """Remember it."""
        self.added += slots

    async def close(self) -> None:
        """Nothing to do."""

    async def run(
        self, command: Sequence[str], cwd: Path, on_line: Callable[[str], None], deadline: float
    ) -> EngineResult:
        """Write what the command is to write."""
        self.commands.append(list(command))
        self.begun.set()
        number = len(self.commands)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        started = datetime.now(UTC)
        try:
            on_line(f"RAW file = {command[1]}")
            on_line("Image data frame x created.")
            status = 0
            if number in self.behaviour:
                answer = self.behaviour[number](cwd)
                status = await answer if asyncio.iscoroutine(answer) else int(answer or 0)
            if status == 0:
                write_spectra_product(cwd / output_of(command))
                on_line('Action "EXIT", Task "CMD00001", completed.')
        finally:
            self._now -= 1
        return EngineResult(status, status == 0, started, datetime.now(UTC), ("the last line",))
