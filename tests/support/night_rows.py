"""A night that is half reduced, written straight into the database with the product files it names.

What the pages need to be looked at and tested: every state, two fields on two plates, both arms, a failure, a
provisional reduction that was superseded, a rejected file, and a feed of status events. Run as a script, it
fills the database of PAWS_DATABASE_URL:

    python -m tests.support.night_rows DATA_DIR [--hostile]
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from blake3 import blake3

from paws.clock import from_mjd
from paws.database import Connection, connect
from paws.settings import Settings
from paws.status import announce_frames
from schemas.frames import Frame, frame_id
from schemas.layout import product_path
from schemas.reductions import Layout
from schemas.vocabulary import Arm, CalibrationRole, FrameClass, ProductKind
from tests.support.night_files import WAVELENGTHS, write_product_file
from tests.support.night_plan import (
    HOSTILE,
    MINUTE,
    NIGHT,
    START_MJD,
    digest,
    exposure_of,
    make_frame,
    night_plan,
)


@dataclass
class NightRows:
    """What was written: identifiers by what they are good for."""

    frames: dict[tuple[int, str], Frame] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, str] = field(default_factory=dict)
    products: dict[str, str] = field(default_factory=dict)


_FIBRE_KIND = {FrameClass.MFFFF: "fflat", FrameClass.MFARC: "arc", FrameClass.MFOBJECT: "object"}
_PLAN_STATE = {"reduced": "planned", "running": "planned", "queued": "planned", "arrived": None}
_JOB_STATE = {"reduced": "succeeded", "running": "running", "queued": "queued", "failed": "failed"}


async def write_night(
    settings: Settings,
    *,
    fibres: int = 40,
    samples: int = 300,
    hostile: bool = False,
    with_files: bool = True,
) -> NightRows:
    """Write the night.

    Parameters
    ----------
    fibres, samples
        Size of the product files.
    hostile
        Put markup into object names, header cards and reasons.
    with_files
        Write the product files too.
    """
    rows = NightRows()
    connection = await connect(settings)
    try:
        async with connection.transaction():
            mjd = START_MJD
            for run, frame_class, exposed, target, object_name, fate in night_plan():
                for arm in Arm:
                    outcome = {**fate, **fate.get(arm.value, {})}
                    name = HOSTILE if hostile and run == 9 else object_name
                    frame = make_frame(
                        run, arm, frame_class, mjd, exposed, exposure_of(run, frame_class, arm), target, name
                    )
                    await _write_frame(connection, frame, outcome, hostile)
                    rows.frames[run, arm.value] = frame
                    rows.states[frame.frame_id] = outcome["state"]
                    await _write_reduction(
                        connection, settings, rows, frame, outcome, fibres, samples, with_files
                    )
                mjd += exposed / 86400 + 2.4 * MINUTE
            await _write_rejected(connection, hostile)
            await _write_combined(connection, settings, rows, fibres, samples, with_files)
            now = from_mjd(mjd)
            await announce_frames(connection, rows.states, now)
            await number_events(connection)
    finally:
        await connection.close()
    return rows


async def _write_frame(connection: Connection, frame: Frame, outcome: dict[str, Any], hostile: bool) -> None:
    junked = outcome["state"] == "junked"
    header = {
        "SIMPLE": True,
        "INSTRUME": frame.instrument,
        "OBJECT": frame.object_name,
        "GRATID": frame.grating,
        "LAMBDCR": float(frame.central_wavelength),
        "EXPOSED": frame.exposed,
        "NDFCLASS": frame.frame_class.value,
        "CFG_FILE": frame.configuration,
        "UTMJD": frame.utmjd,
        "DETECTOR": frame.detector,
    }
    if hostile:
        header["COMMENTS"] = f"{HOSTILE} & 'quotes' \" {{{{ 7 * 7 }}}}"
    await connection.execute(
        "INSERT INTO frame (frame_id, night, name, path, checksum, size_bytes, arm, run, frame_class, object_name,"
        " field, configuration, plate, grating, central_wavelength, proposal, exposed, utmjd, ra, dec, airmass,"
        " document, header, completed_at, arrived_at, junked, junk_reason, junked_by, junked_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,"
        " $22, $23, $24, $25, $26, $27, $28, $29)",
        *(frame.frame_id, frame.night, frame.name, frame.path, frame.checksum, frame.size_bytes),
        *(frame.arm.value, frame.run, frame.frame_class.value, frame.object_name, frame.field),
        *(frame.configuration, frame.plate, frame.grating, frame.central_wavelength, frame.proposal),
        *(frame.exposed, frame.utmjd, frame.ra, frame.dec, frame.airmass),
        *(frame.model_dump(mode="json"), header, frame.completed_at),
        frame.completed_at + timedelta(milliseconds=120),
        *(junked, outcome.get("reason") if junked else None, "observer" if junked else None),
        frame.completed_at if junked else None,
    )
    plan_state = _PLAN_STATE.get(outcome["state"], outcome["state"])
    if outcome["state"] == "failed":
        plan_state = "planned"
    if plan_state is not None:
        await connection.execute(
            "INSERT INTO frame_plan (frame_id, night, state, reason, job_key, level, provisional, decision)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            *(frame.frame_id, frame.night, plan_state),
            outcome.get("reason", "All calibrations of its own field are there."),
            _job_key(frame) if outcome["state"] in _JOB_STATE else None,
            outcome.get("level"),
            bool(outcome.get("provisional")),
            _decision(frame, outcome, hostile),
        )
    await connection.execute(
        "INSERT INTO observing_log (frame_id, night, run, arm, ut_start, frame_class, object_name, field, plate,"
        " grating, central_wavelength, exposed, airmass, proposal, level, signal_to_noise, result)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        *(frame.frame_id, frame.night, frame.run, frame.arm.value, from_mjd(frame.utmjd)),
        *(
            frame.frame_class.value,
            f"=cmd()|{frame.object_name}" if hostile else frame.object_name,
            frame.field,
        ),
        *(frame.plate, frame.grating, frame.central_wavelength, frame.exposed, frame.airmass, frame.proposal),
        *(outcome.get("level"), outcome.get("sn"), outcome["state"].replace("_", " ")),
    )


def _job_key(frame: Frame) -> str:
    return digest("job", frame.frame_id)


def _source(run: int, arm: Arm) -> str:
    name = f"12mar{arm.ccd}{run:04d}.fits"
    return frame_id(NIGHT, name, digest(name))


def _decision(frame: Frame, outcome: dict[str, Any], hostile: bool) -> dict[str, Any]:
    if frame.frame_class is not FrameClass.MFOBJECT or outcome.get("level") is None:
        return {"choices": [], "refused": [], "notes": []}
    flat, other = (5, 6) if frame.arm is Arm.BLUE else (6, 5)
    why = "Best exposed of two: 31.2k ADU, nothing saturated."

    def choice(role: CalibrationRole, run: int, level: int, age: float, reason: str) -> dict[str, Any]:
        source = _source(run, frame.arm)
        refused = [
            {"frame_id": _source(other, frame.arm), "reason": HOSTILE if hostile else "24 % saturated"}
        ]
        return {
            "role": role.value,
            "product": {"job_key": digest("job", source), "kind": role.value},
            "source_frame_ids": [source],
            "level": level,
            "age_hours": age,
            "reason": reason,
            "refused": refused if role is not CalibrationRole.ARC else [],
        }

    level = int(outcome["level"])
    return {
        "choices": [
            choice(CalibrationRole.TLM, flat, level, -0.31, why),
            choice(CalibrationRole.ARC, 7 if level == 0 else 11, 0, -0.26, "The arc of this field."),
            choice(CalibrationRole.FFLAT, flat, level, -0.31, why),
        ],
        "refused": [
            {"role": "lflat", "frame_id": "", "reason": "No long-slit flat of this detector is known."}
        ],
        "notes": ["Spectra of both arms will be spliced."],
    }


async def _write_reduction(
    connection: Connection,
    settings: Settings,
    rows: NightRows,
    frame: Frame,
    outcome: dict[str, Any],
    fibres: int,
    samples: int,
    with_files: bool,
) -> None:
    if outcome["state"] not in _JOB_STATE:
        return
    key = _job_key(frame)
    word = _FIBRE_KIND.get(frame.frame_class, frame.frame_class.value.lower())
    requested = frame.completed_at + timedelta(milliseconds=180)
    state = _JOB_STATE[outcome["state"]]
    finished = requested + timedelta(seconds=7.4) if state in ("succeeded", "failed") else None
    log_path = Path("logs/reductions") / NIGHT / f"{key[:16]}-1.log"
    if with_files:
        (settings.data_dir / log_path).parent.mkdir(parents=True, exist_ok=True)
        (settings.data_dir / log_path).write_text(f"reduce_{word} {frame.name}\nExtracting\n", "utf-8")
    slot = f"{NIGHT}/{frame.arm.ccd}/{frame.run:04d}/{word}"
    await connection.execute(
        "INSERT INTO reduction (job_key, slot, kind, night, arm, state, priority, provisional, engine, engine_version,"
        " document, attempt, stage, progress, outcome, error_code, error, log_path, runner, requested_at, queued_at,"
        " started_at, engine_started_at, engine_finished_at, finished_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,"
        " $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)",
        *(key, slot, f"reduce_{word}", NIGHT, frame.arm.value, state, 100, bool(outcome.get("provisional"))),
        *("builtin", "paws-live 0.1.0"),
        {
            "reason": outcome.get("reason", "All calibrations of its own field are there."),
            "parameters": {"TPMETH": "SKYFLUX(MED)", "USEFFLAT": 1},
            "calibrations": _decision(frame, outcome, False)["choices"],
        },
        *(0 if state == "queued" else 1, outcome.get("stage"), outcome.get("progress")),
        *("success" if state == "succeeded" else None, outcome.get("error_code")),
        outcome.get("reason") if state == "failed" else None,
        *(str(log_path), None if state == "queued" else "runner-1"),
        *(requested, requested + timedelta(milliseconds=20)),
        None if state == "queued" else requested + timedelta(milliseconds=160),
        None if state == "queued" else requested + timedelta(milliseconds=240),
        *(finished, finished),
    )
    await connection.execute("INSERT INTO reduction_frame VALUES ($1, $2)", key, frame.frame_id)
    rows.jobs[frame.frame_id] = key
    if state != "succeeded":
        return
    kind = ProductKind(word)
    layout = Layout(
        night=NIGHT, arm=frame.arm, plate=frame.plate, grating=frame.grating, field=frame.field, run=frame.run
    )
    await _write_product(
        connection,
        settings,
        rows,
        [frame],
        key,
        slot,
        kind,
        layout,
        frame.arm,
        outcome,
        fibres,
        samples,
        with_files,
        version=2 if kind is ProductKind.OBJECT and frame.run == 12 else 1,
    )
    if kind is ProductKind.OBJECT and frame.run == 12:
        # The first look that a better calibration superseded.
        old = digest("old", key)
        await connection.execute(
            "INSERT INTO reduction (job_key, slot, kind, night, arm, state, priority, engine, engine_version, document,"
            " attempt, requested_at, finished_at) VALUES ($1, $2, 'reduce_object', $3, $4, 'succeeded', 100, 'builtin',"
            " 'paws-live 0.1.0', '{}', 1, $5, $5)",
            *(old, slot, NIGHT, frame.arm.value, requested),
        )
        await _write_product(
            connection, settings, rows, [frame], old, slot, kind, layout, frame.arm, {**outcome, "level": 2},
            fibres, samples, with_files, version=1, current=False,
        )  # fmt: skip


async def _write_product(
    connection: Connection,
    settings: Settings,
    rows: NightRows,
    frames: list[Frame],
    key: str,
    slot: str,
    kind: ProductKind,
    layout: Layout,
    arm: Arm | None,
    outcome: dict[str, Any],
    fibres: int,
    samples: int,
    with_files: bool,
    version: int = 1,
    current: bool = True,
) -> None:
    path = product_path(kind, layout)
    stored = Path("products/.versions") / key[:2] / key / path.name
    product_id = f"{key[:20]}-{kind.value}"
    size, checksum = 1, digest("product", product_id)
    table: list[tuple[Any, ...]] = []
    if with_files:
        (settings.data_dir / stored).parent.mkdir(parents=True, exist_ok=True)
        table = write_product_file(settings.data_dir / stored, kind, arm, frames[0].run, fibres, samples)
        content = (settings.data_dir / stored).read_bytes()
        size, checksum = len(content), blake3(content).hexdigest()
    quality: dict[str, Any] = {
        "sky_residual": 0.021,
        "arc_rms": 0.061,
        "cosmic_rays": 1874,
        "fibres_used": fibres - 2,
    }
    if outcome.get("sn"):
        quality["signal_to_noise"] = outcome["sn"]
    made = max(frame.completed_at for frame in frames) + timedelta(seconds=8, minutes=version)
    await connection.execute(
        "INSERT INTO product (product_id, job_key, slot, kind, night, arm, version, current, path, stored_path,"
        " checksum, size_bytes, plate, grating, field, run, level, provisional, quality, provenance, created_at,"
        " superseded_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,"
        " $20, $21, $22)",
        *(product_id, key, slot, kind.value, NIGHT, arm.value if arm else None, version, current),
        *(
            str(path),
            str(stored),
            checksum,
            size,
            layout.plate,
            layout.grating,
            layout.field,
        ),
        *(layout.run, outcome.get("level"), bool(outcome.get("provisional")), quality),
        {"engine": "builtin", "engine_version": "paws-live 0.1.0", "engine_seconds": 6.9},
        *(made, None if current else made + timedelta(minutes=1)),
    )
    await connection.executemany(
        "INSERT INTO product_frame VALUES ($1, $2)", [(product_id, frame.frame_id) for frame in frames]
    )
    await connection.executemany(
        "INSERT INTO reduction_frame VALUES ($1, $2) ON CONFLICT DO NOTHING",
        [(key, frame.frame_id) for frame in frames],
    )
    if table and kind.has_spectra:
        low, high = WAVELENGTHS[arm]
        science = [frame for frame in frames if frame.frame_class is FrameClass.MFOBJECT]
        start, end = science[0].utmjd, max(frame.utmjd + frame.exposed / 86400 for frame in science)
        of_all = (low, high, (high - low) / (samples - 1), 1300.0, science[0].exposed, start, end)
        await connection.executemany(
            "INSERT INTO spectrum (product_id, fibre, target_name, fibre_type, ra, dec, magnitude, signal_to_noise,"
            " wavelength_min, wavelength_max, wavelength_step, resolving_power, exposed, mjd_start, mjd_end)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            [(product_id, *row, *of_all) for row in table],
        )
    rows.products[f"{frames[-1].run}/{arm.value if arm else 'both'}/{kind.value}/{version}"] = product_id


async def _write_combined(
    connection: Connection, settings: Settings, rows: NightRows, fibres: int, samples: int, with_files: bool
) -> None:
    frames = [rows.frames[run, "blue"] for run in (8, 9)]
    key = digest("combined")
    slot = f"{NIGHT}/1/FLD195_v03/spliced_combined"
    at = frames[-1].completed_at
    await connection.execute(
        "INSERT INTO reduction (job_key, slot, kind, night, state, priority, engine, engine_version, document, attempt,"
        " requested_at, started_at, finished_at) VALUES ($1, $2, 'splice', $3, 'succeeded', 100, 'builtin',"
        " 'paws-live 0.1.0', '{}', 1, $4, $4, $4)",
        *(key, slot, NIGHT, at),
    )
    layout = Layout(night=NIGHT, plate=1, grating="580V", other_grating="385R", field="FLD195_v03", run=None)
    await _write_product(
        connection, settings, rows, frames, key, slot, ProductKind.SPLICED_COMBINED, layout, None,
        {"level": 0, "sn": 9.3}, fibres, samples, with_files,
    )  # fmt: skip


async def _write_rejected(connection: Connection, hostile: bool) -> None:
    name = f"{HOSTILE}.fits" if hostile else "12mar20016.fits"
    await connection.execute(
        "INSERT INTO rejected_file (path, name, night, size_bytes, mtime_ns, code, reason)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        *(f"/raw/260312/ccd_2/{name}", name, NIGHT, 9_437_184, 1, "truncated"),
        "The file ends after 9.4 of 17.1 MB and has not grown for 10 min. Copy it again from the instrument's disk.",
    )


async def number_events(connection: Connection) -> int:
    """Number the status events in the outbox as the relay would; gives the newest number."""
    await connection.execute(
        "WITH waiting AS (SELECT id, payload, row_number() OVER (ORDER BY id)"
        "   + (SELECT coalesce(max(seq), 0) FROM status_event) AS seq"
        "  FROM outbox WHERE topic = 'status.events' AND published_at IS NULL),"
        " numbered AS (INSERT INTO status_event (seq, outbox_id, night, entity, entity_id, state, payload, at)"
        "  SELECT seq, id, payload ->> 'night', payload ->> 'entity', payload ->> 'entity_id', payload ->> 'state',"
        "   payload || jsonb_build_object('seq', seq), (payload ->> 'at')::timestamptz FROM waiting)"
        " UPDATE outbox SET published_at = now() WHERE published_at IS NULL"
    )
    return int(await connection.fetchval("SELECT coalesce(max(seq), 0) FROM status_event"))


async def change_frame(
    connection: Connection, frame: str, state: str, reason: str, at: datetime | None = None
) -> None:
    """Give a frame a new plan and announce it, as the matcher does."""
    async with connection.transaction():
        await connection.execute(
            "INSERT INTO frame_plan (frame_id, night, state, reason) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (frame_id) DO UPDATE SET state = $3, reason = $4, updated_at = now()",
            *(frame, NIGHT, state, reason),
        )
        await announce_frames(connection, [frame], at or datetime.now(UTC))
        await number_events(connection)


if __name__ == "__main__":
    import sys

    from paws.settings import load_settings

    chosen = load_settings(data_dir=Path(sys.argv[1]))
    asyncio.run(write_night(chosen, fibres=400, samples=2048, hostile="--hostile" in sys.argv))
