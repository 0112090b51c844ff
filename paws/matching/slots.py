"""Names of slots, and where their products belong."""

from __future__ import annotations

from paws.matching.night_index import Exposures, Session
from paws.matching.sighting import Sighting
from schemas.layout import safe_component
from schemas.reductions import Layout
from schemas.vocabulary import Arm, ProductKind


def of_frame(sighting: Sighting, product: ProductKind) -> str:
    """Slot of one frame's product."""
    frame = sighting.frame
    return f"{frame.night}/{frame.arm.ccd}/{frame.run:04d}/{product.value}"


def of_session(session: Session, product: ProductKind) -> str:
    """Slot of a combined bias, dark or long-slit flat."""
    return f"{session.night}/{session.detector.ccd}/{product.value}/s{session.setup}{_dash(session.label)}"


def of_exposures(exposures: Exposures, setup: int) -> str:
    """Slot of the combined spectra of a field in one arm."""
    first = exposures.members[0].frame
    grating = safe_component(first.grating)
    return f"{first.night}/{first.plate}/{safe_component(exposures.label)}/{grating}-s{setup}/combined"


def of_spliced_run(night: str, run: int) -> str:
    """Slot of the spliced spectra of one exposure."""
    return f"{night}/{run:04d}/{ProductKind.SPLICED.value}"


def of_spliced_field(layout: Layout) -> str:
    """Slot of the spliced combined spectra of a field."""
    gratings = (
        f"{safe_component(layout.grating)}-s{layout.setup}-"
        f"{safe_component(layout.other_grating)}-s{layout.other_setup}"
    )
    where = f"{layout.night}/{layout.plate}/{safe_component(layout.field)}"
    return f"{where}/{gratings}/{ProductKind.SPLICED_COMBINED.value}"


def layout_of_frame(sighting: Sighting, setup: int) -> Layout:
    """Where one frame's products belong."""
    frame = sighting.frame
    return Layout.model_construct(
        night=frame.night,
        arm=frame.arm,
        plate=frame.plate,
        grating=frame.grating,
        setup=setup,
        field=frame.field,
        run=frame.run,
        label="",
        other_grating="",
        other_setup=1,
    )


def layout_of_session(session: Session) -> Layout:
    """Where a combined detector calibration belongs."""
    return Layout(
        night=session.night,
        arm=Arm.of_ccd(session.detector.ccd),
        setup=session.setup,
        label=session.label,
    )


def layout_of_exposures(exposures: Exposures, setup: int) -> Layout:
    """Where the combined spectra of a field belong."""
    first = exposures.members[0].frame
    return Layout(
        night=first.night,
        arm=first.arm,
        plate=first.plate,
        grating=first.grating,
        setup=setup,
        field=exposures.label,
    )


def layout_of_splice(blue: Layout, red: Layout, product: ProductKind) -> Layout:
    """Where spliced spectra belong: named after both arms."""
    return Layout(
        night=blue.night,
        plate=blue.plate,
        grating=blue.grating,
        setup=blue.setup,
        field=blue.field,
        run=blue.run if product is ProductKind.SPLICED else None,
        other_grating=red.grating,
        other_setup=red.setup,
    )


def _dash(label: str) -> str:
    return f"-{label.lstrip('-')}" if label else ""
