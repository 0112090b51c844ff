"""What happens in the half-reduced night of the pages' tests: its frames, and what became of each."""

from __future__ import annotations

import hashlib
import math
from datetime import timedelta
from typing import Any

from paws.clock import from_mjd
from schemas.frames import ExposureLevel, Frame, field_label, frame_id
from schemas.vocabulary import Arm, FrameClass

NIGHT = "20260312"
START_MJD = 61111.29
MINUTE = 1 / 1440
_CONFIGURATIONS = ("FLD195_v03_260312_r02_p1.sds", "SGP0344_deep_260312_r01_p0.sds")
RA_DEC = ((35.4986, -28.7495), (51.2207, -35.1310))
_GRATINGS = {Arm.BLUE: ("580V", 4800), Arm.RED: ("385R", 7250)}
HOSTILE = '<script>alert("x")</script>'


def digest(*parts: object) -> str:
    """A checksum that is the same in every run."""
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()


def make_frame(
    run: int,
    arm: Arm,
    frame_class: FrameClass,
    mjd: float,
    exposed: float,
    exposure: ExposureLevel | None,
    target: int | None,
    object_name: str,
) -> Frame:
    """A raw frame as ingest would accept it."""
    name = f"12mar{arm.ccd}{run:04d}.fits"
    checksum = digest(name)
    grating, centre = _GRATINGS[arm]
    configuration = "" if target is None else _CONFIGURATIONS[target]
    return Frame(
        frame_id=frame_id(NIGHT, name, checksum),
        night=NIGHT,
        name=name,
        path=f"/raw/260312/ccd_{arm.ccd}/{name}",
        checksum=checksum,
        size_bytes=17_066_880,
        completed_at=from_mjd(mjd) + timedelta(seconds=exposed + 95),
        frame_class=frame_class,
        arm=arm,
        run=run,
        header_night=NIGHT,
        instrument="AAOMEGA-2dF",
        object_name=object_name,
        proposal="A/2026A/008",
        exposed=exposed,
        utmjd=mjd,
        detector="E2V2A" if arm is Arm.BLUE else "E2V3A",
        window="AAOMEGA_2DF",
        speed="NORMAL",
        readamp="RIGHT",
        grating=grating,
        central_wavelength=centre,
        dichroic="X5700",
        plate=None if target is None else 1 - target,
        configuration=configuration,
        field="" if target is None else field_label(configuration),
        ra=None if target is None else RA_DEC[target][0],
        dec=None if target is None else RA_DEC[target][1],
        airmass=None if target is None else round(1.02 + 0.07 * abs(math.sin(run)), 3),
        exposure=exposure,
    )


def night_plan() -> list[tuple[int, FrameClass, float, int | None, str, dict[str, Any]]]:
    """The night: run, class, exposure, field, object, and what became of it in each arm."""
    done: dict[str, Any] = {"state": "reduced", "level": 0}
    plan: list[tuple[int, FrameClass, float, int | None, str, dict[str, Any]]] = [
        (run, FrameClass.BIAS, 0.0, None, "BIAS", {"state": "reduced"}) for run in range(1, 4)
    ]
    plan.append((4, FrameClass.DARK, 900.0, None, "DARK", {"state": "reduced"}))
    aside = {
        "state": "set_aside",
        "reason": "Flat 0006 is exposed better in this arm (31.2k ADU, nothing saturated).",
    }
    plan += [
        (5, FrameClass.MFFFF, 6.0, 0, "Flat 75W", {"blue": done, "red": {**aside}}),
        (6, FrameClass.MFFFF, 1.5, 0, "Flat 75W", {"blue": {**aside}, "red": done}),
        (7, FrameClass.MFARC, 45.0, 0, "Arc CuAr+FeAr", done),
        *(
            (run, FrameClass.MFOBJECT, 1200.0, 0, "FLD195_v03", {**done, "sn": 4.1 + 0.2 * run})
            for run in (8, 9)
        ),
        (
            10,
            FrameClass.MFOBJECT,
            1200.0,
            0,
            "FLD195_v03",
            {
                "blue": {**done, "sn": 5.7},
                "red": {
                    "state": "failed",
                    "level": 0,
                    "error_code": "engine_failed",
                    "reason": "reduce_object stopped: 31 fibres have no sky line to measure throughput with. "
                    "Look at the log, then reprocess with THRUPUT 0 or junk the frame.",
                },
            },
        ),
        (11, FrameClass.MFARC, 45.0, 1, "Arc CuAr+FeAr", done),
        (
            12,
            FrameClass.MFOBJECT,
            1800.0,
            1,
            "SGP0344_deep",
            {
                "state": "reduced",
                "level": 1,
                "provisional": True,
                "sn": 3.2,
                "reason": "The flat of this field has not come within 5 min; flat 0005 of plate 1 stands in.",
            },
        ),
        (
            13,
            FrameClass.MFFFF,
            6.0,
            1,
            "Flat 75W",
            {"blue": {"state": "running", "stage": "extracting", "progress": 0.62, "level": 0}, "red": done},
        ),
        (
            14,
            FrameClass.MFOBJECT,
            1800.0,
            1,
            "SGP0344_deep",
            {
                "blue": {
                    "state": "waiting",
                    "reason": "Waits for the fibre flat 0013 of this field, which is being reduced.",
                },
                "red": {
                    "state": "queued",
                    "level": 0,
                    "reason": "All calibrations of its own field are there.",
                },
            },
        ),
        (
            15,
            FrameClass.MFOBJECT,
            1800.0,
            1,
            "SGP0344_deep",
            {
                "blue": {"state": "arrived"},
                "red": {"state": "junked", "reason": "cloud, guiding lost at 14:31"},
            },
        ),
    ]
    return plan


def exposure_of(run: int, frame_class: FrameClass, arm: Arm) -> ExposureLevel | None:
    if frame_class in (FrameClass.BIAS, FrameClass.DARK):
        return ExposureLevel(median=1.5, bright=6.0, saturated_fraction=0.0)
    if frame_class is FrameClass.MFFFF:
        saturated = 0.24 if (run, arm) == (5, Arm.RED) else 0.0
        return ExposureLevel(
            median=9000.0, bright=65200.0 if saturated else 31200.0 / run * 6, saturated_fraction=saturated
        )
    if frame_class is FrameClass.MFARC:
        return ExposureLevel(median=120.0, bright=14200.0, saturated_fraction=0.0008)
    return ExposureLevel(median=41.5 + run, bright=312.0 * run / 4, saturated_fraction=0.00002)
