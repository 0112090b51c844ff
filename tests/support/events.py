"""One example of every event, with fixed values: the golden files are made of them."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.events import (
    Event,
    FrameArrived,
    FrameJunked,
    FrameParametersSet,
    FrameRejected,
    ProductRecord,
    ReductionFinished,
    ReductionRequested,
    RequestOrdered,
    StatusEvent,
    Timing,
)
from schemas.frames import ExposureLevel, Frame, field_label, frame_id
from schemas.reductions import (
    CalibrationChoice,
    FrameInput,
    Layout,
    ProductInput,
    Reduction,
    RefusedCandidate,
    job_key,
)
from schemas.vocabulary import (
    Arm,
    CalibrationLevel,
    CalibrationRole,
    FrameClass,
    Outcome,
    ProductKind,
    ReductionKind,
    ReductionState,
)

NIGHT = "20260312"
AT = datetime(2026, 3, 12, 13, 40, 24, tzinfo=UTC)


def example_frame(run: int = 11, arm: Arm = Arm.RED, frame_class: FrameClass = FrameClass.MFOBJECT) -> Frame:
    """Science frame of a field on plate 1."""
    name = f"12mar{arm.ccd}{run:04d}.fits"
    checksum = f"{arm.ccd}{run:04d}".ljust(64, "0")
    configuration = "FLD195_v03_260312_r02_p1.sds"
    return Frame(
        frame_id=frame_id(NIGHT, name, checksum),
        night=NIGHT,
        name=name,
        path=f"/raw/260312/ccd_{arm.ccd}/{name}",
        checksum=checksum,
        size_bytes=17_066_880,
        completed_at=AT,
        frame_class=frame_class,
        arm=arm,
        run=run,
        header_night=NIGHT,
        instrument="AAOMEGA-2dF",
        object_name="FLD195_v03",
        proposal="A/2026A/008",
        exposed=900.0,
        utmjd=61111.5592960397,
        detector="E2V3A",
        window="AAOMEGA_2DF",
        speed="NORMAL",
        readamp="RIGHT",
        grating="385R",
        central_wavelength=7250,
        dichroic="X5700",
        plate=1,
        configuration=configuration,
        field=field_label(configuration),
        ra=35.4986256735915,
        dec=-28.7494049821735,
        airmass=1.25,
        exposure=ExposureLevel(median=41.5, bright=312.0, saturated_fraction=0.00002),
    )


def example_reduction() -> Reduction:
    """Reduction of that science frame, with one calibration of every mandatory role."""
    frame = example_frame()
    choices = tuple(
        CalibrationChoice(
            role=role,
            product=ProductInput(job_key=str(number) * 64, kind=kind),
            source_frame_ids=(f"20260312-12mar2000{number}-{str(number) * 12}",),
            level=CalibrationLevel.SAME_FIELD,
            age_hours=-0.5,
            reason="nearest in time of the same field configuration",
            refused=(
                RefusedCandidate(frame_id="20260312-12mar20009-999999999999", reason="saturated: 31 %"),
            ),
        )
        for number, (role, kind) in enumerate(
            (
                (CalibrationRole.TLM, ProductKind.TLM),
                (CalibrationRole.ARC, ProductKind.ARC),
                (CalibrationRole.FFLAT, ProductKind.FFLAT),
            ),
            start=1,
        )
    )
    key = job_key(
        ReductionKind.REDUCE_OBJECT,
        (frame.checksum,),
        (),
        tuple((choice.role, choice.product) for choice in choices),
        {"SKYSUB": True},
        "builtin",
        "0.1.0",
    )
    return Reduction(
        job_key=key,
        slot=f"{NIGHT}/2/0011/object",
        kind=ReductionKind.REDUCE_OBJECT,
        night=NIGHT,
        arm=Arm.RED,
        frames=(
            FrameInput(frame_id=frame.frame_id, name=frame.name, path=frame.path, checksum=frame.checksum),
        ),
        calibrations=choices,
        parameters={"SKYSUB": True},
        engine="builtin",
        engine_version="0.1.0",
        products=(ProductKind.OBJECT,),
        layout=Layout(night=NIGHT, arm=Arm.RED, plate=1, grating="385R", setup=1, field=frame.field, run=11),
        subject_frame_ids=(frame.frame_id,),
        reason="all calibrations of the field are there",
    )


def examples() -> dict[str, Event]:
    """Example events by class name."""
    frame = example_frame()
    reduction = example_reduction()
    made: tuple[Event, ...] = (
        FrameArrived(event_id=frame.frame_id, night=NIGHT, at=AT, frame=frame),
        FrameRejected(
            event_id="/raw/260312/ccd_1/12mar10012.fits:1",
            night=NIGHT,
            at=AT,
            path="/raw/260312/ccd_1/12mar10012.fits",
            name="12mar10012.fits",
            size_bytes=2880,
            code="truncated",
            reason="The file ends within its data. Copy it again; it is looked at when it changes.",
        ),
        FrameJunked(
            event_id=f"{frame.frame_id}:True",
            night=NIGHT,
            at=AT,
            frame_id=frame.frame_id,
            junked=True,
            reason="cloud",
            who="observer",
        ),
        FrameParametersSet(
            event_id=f"{frame.frame_id}:parameters",
            night=NIGHT,
            at=AT,
            frame_id=frame.frame_id,
            parameters={"SKYSUB": 0},
            reason="the sky fibres see a galaxy",
            who="observer",
        ),
        ReductionRequested(event_id=reduction.job_key, night=NIGHT, at=AT, reduction=reduction),
        ReductionFinished(
            event_id=f"{reduction.job_key}:succeeded",
            night=NIGHT,
            at=AT,
            job_key=reduction.job_key,
            slot=reduction.slot,
            kind=reduction.kind,
            state=ReductionState.SUCCEEDED,
            outcome=Outcome.SUCCESS,
            products=(
                ProductRecord(
                    product_id=f"{reduction.job_key[:16]}-object",
                    kind=ProductKind.OBJECT,
                    product_version=1,
                    path="p1/385R/s1/20260312-FLD195_v03-p1/OBJ0011red.fits",
                    checksum="a" * 64,
                    size_bytes=6_566_400,
                    quality={"signal_to_noise": 4.2},
                ),
            ),
            subject_frame_ids=reduction.subject_frame_ids,
            timing=Timing(
                requested_at=AT,
                queued_at=AT,
                started_at=AT,
                engine_started_at=AT,
                engine_finished_at=AT,
                finished_at=AT,
            ),
        ),
        RequestOrdered(
            event_id="0a1b2c3d4e5f6071:submit",
            night=NIGHT,
            at=AT,
            request_id="0a1b2c3d4e5f6071",
            order="submit",
            who="mia",
        ),
        StatusEvent(
            event_id=f"frame:{frame.frame_id}:reduced",
            night=NIGHT,
            at=AT,
            seq=17,
            entity="frame",
            entity_id=frame.frame_id,
            state="reduced",
            payload={"name": frame.name, "level": 0},
        ),
    )
    return {type(event).__name__: event for event in made}
