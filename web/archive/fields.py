"""A field of a night as the matcher groups it, with what each frame would be reduced with. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paws.matching.fitness import exposure_text
from paws.matching.night_index import FieldKey
from paws.matching.retrospect import Retrospect
from paws.matching.sighting import Sighting
from schemas.frames import CameraKey, FibreKey
from web.archive.prospects import document_of

Rows = Mapping[str, Mapping[str, Any]]


def groups_of(found: Retrospect, rows: Rows) -> list[dict[str, Any]]:
    """Groups of a field: one for each fibre configuration and camera set-up, the blue arm first.

    Parameters
    ----------
    rows
        Frames of the field that are shown, by identifier. No other frame is named as one of the field.
    """
    subjects = [item for item in found.index.subjects if item.frame_id in rows]
    keys = sorted(
        {FieldKey(item.camera, item.fibres) for item in subjects if item.fibres is not None},
        key=lambda key: (key.camera.ccd, key.fibres, key.camera),
    )
    return [_group(key, found, subjects, rows) for key in keys]


def _group(key: FieldKey, found: Retrospect, subjects: list[Sighting], rows: Rows) -> dict[str, Any]:
    members = [item for item in subjects if item.camera == key.camera and item.fibres == key.fibres]
    return {
        "arm": str(members[0].frame.arm),
        "grating": key.camera.grating,
        "central_wavelength": key.camera.central_wavelength,
        "configuration": key.fibres.configuration,
        "pointings": _pointings(found, key.camera, key.fibres, rows),
        "calibrations": [
            {**rows[item.frame_id], "note": _note(found, item)}
            for item in members
            if not item.frame.frame_class.is_science
        ],
        "aside": [
            {**rows[item.frame_id], "note": found.prospects[item.frame_id].aside}
            for item in members
            if item.frame.frame_class.is_science and found.prospects[item.frame_id].aside
        ],
    }


def _pointings(found: Retrospect, camera: CameraKey, fibres: FibreKey, rows: Rows) -> list[dict[str, Any]]:
    """Science exposures that are combined with each other."""
    pointings = []
    for exposures in found.index.exposures.values():
        if exposures.camera != camera or exposures.pointing.fibres != fibres:
            continue
        shown = [item for item in exposures.members if item.frame_id in rows]
        if shown:
            pointings.append(
                {
                    "label": exposures.label,
                    "object": shown[0].frame.object_name,
                    "seconds": sum(item.frame.exposed for item in shown),
                    "frames": [
                        {**rows[item.frame_id], **document_of(found.prospects[item.frame_id])}
                        for item in shown
                    ],
                }
            )
    return pointings


def _note(found: Retrospect, item: Sighting) -> str:
    """What speaks for or against a calibration frame of the field."""
    prospect = found.prospects[item.frame_id]
    if prospect.aside:
        return prospect.aside
    lacks = " and ".join(one.role.meaning for one in prospect.lacks)
    return f"lacks {lacks}" if lacks else exposure_text(item.frame) if item.frame.exposure else ""
