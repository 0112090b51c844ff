"""Tables of frames: the frames, the fields that they are of, and the observing log."""

from __future__ import annotations

from typing import Final

from adql.catalogue import Column, Position
from paws.vo.declared import fibre_columns as fibres
from paws.vo.declared.columns import important, number, text, time, words
from paws.vo.declared.values import DeclaredKey, DeclaredTable, PositionIndex

_FRAME_ID: Final = text(
    "frame_id", "meta.id;obs", "Identifier of the raw frame: night, name and the file's content"
)
_FRAME_CLASS: Final = text(
    "frame_class", "meta.code.class", "2dFdr's class: BIAS, DARK, LFLAT, MFFFF, MFARC, MFSKY, MFOBJECT, MFFLX"
)
_OBJECT_NAME: Final = words("object_name", "meta.id;obs.field", "What the observers called it (OBJECT)")
_CENTRE: Final = number(
    "central_wavelength",
    "Angstrom",
    "em.wl;instr.setup",
    "Central wavelength asked for, in air",
    datatype="int",
)
_PROPOSAL: Final = text("proposal", "meta.id;obs.proposal", "Proposal for which it was observed")
_AIRMASS: Final = number(
    "airmass", None, "obs.airMass", "Air mass in the middle of the exposure", datatype="float"
)


def _region(description: str) -> Column:
    return Column("s_region", "double", "3", "circle", "deg", "pos.outline;obs.field", None, description)


FRAMES: Final = DeclaredTable(
    "paws.frames",
    "Every raw frame that was accepted, with what became of it.",
    None,
    "vo.frames",
    "frame",
    "view",
    (
        important(_FRAME_ID, indexed=True),
        important(fibres.NIGHT, indexed=True),
        important(text("name", "meta.id;meta.file", "Name of the raw file")),
        important(fibres.RUN),
        important(fibres.ARM),
        important(_FRAME_CLASS, indexed=True),
        important(_OBJECT_NAME),
        important(fibres.FIELD),
        text("configuration", "meta.id;instr.setup", "Name of the fibre configuration's file"),
        fibres.PLATE,
        text("instrument", "meta.id;instr", "Instrument, as the header has it"),
        important(fibres.GRATING),
        _CENTRE,
        important(_PROPOSAL),
        important(fibres.EXPOSED),
        important(fibres.START, indexed=True),
        fibres.END,
        *(important(column, indexed=True) for column in fibres.position("the field's centre")),
        _region("The field on the sky: two degrees across; none for frames without fibres"),
        _AIRMASS,
        number(
            "level_median", "adu", "phot.count;stat.median", "Median of the pixels above the overscan level"
        ),
        number(
            "level_bright",
            "adu",
            "phot.count;stat.max",
            "98th percentile of the pixels above the overscan level",
        ),
        number(
            "saturated_fraction",
            None,
            "instr.saturation;arith.ratio",
            "Part of the pixels that are saturated",
        ),
        number("is_junked", None, "meta.code.qual", "1 if observers marked it as junk", datatype="short"),
        important(
            text(
                "state",
                "meta.code.status",
                "What became of it: arrived, waiting, queued, running, reduced, set_aside, failed, junked",
            )
        ),
        fibres.LEVEL,
        fibres.CHECKSUM,
        fibres.SIZE,
        time("arrived_at", "time.creation;meta.file", "When it arrived here"),
    ),
    positions=(Position("ra", "dec"),),
    position_indexes=(PositionIndex("frame", "ra", "dec"),),
)

FIELDS: Final = DeclaredTable(
    "paws.fields",
    "Every field of every night, gathered from its frames that are not junked.",
    None,
    "SELECT r.night, r.field, r.plate, (array_agg(r.ra ORDER BY r.mjd_start, r.frame_id))[1] AS ra,"
    " (array_agg(r.dec ORDER BY r.mjd_start, r.frame_id))[1] AS dec,"
    " string_agg(DISTINCT nullif(r.grating, ''), ' ' ORDER BY nullif(r.grating, '')) AS gratings,"
    " string_agg(DISTINCT nullif(r.proposal, ''), ' ' ORDER BY nullif(r.proposal, '')) AS proposals,"
    " count(*) AS frames, count(DISTINCT r.run) FILTER (WHERE r.frame_class = 'MFOBJECT') AS exposures,"
    " coalesce(sum(r.exposed) FILTER (WHERE r.frame_class = 'MFOBJECT' AND r.arm = 'blue'), 0)::real AS exposed_blue,"
    " coalesce(sum(r.exposed) FILTER (WHERE r.frame_class = 'MFOBJECT' AND r.arm = 'red'), 0)::real AS exposed_red,"
    " count(*) FILTER (WHERE r.state = 'reduced') AS reduced, min(r.mjd_start) AS mjd_start, max(r.mjd_end) AS mjd_end"
    " FROM vo.frames AS r WHERE r.field <> '' AND r.is_junked = 0 AND {seen} GROUP BY r.night, r.field, r.plate",
    "frame",
    "view",
    (
        important(fibres.NIGHT, indexed=True),
        important(fibres.FIELD),
        important(fibres.PLATE),
        *(important(column) for column in fibres.position("the centre of its first frame")),
        important(text("gratings", "meta.id;instr.setup", "Gratings with which it was observed")),
        important(text("proposals", "meta.id;obs.proposal", "Proposals for which it was observed")),
        number("frames", None, "meta.number", "Frames, calibrations included", datatype="long"),
        important(
            number("exposures", None, "meta.number;obs.exposure", "Exposures of the targets", datatype="long")
        ),
        number(
            "exposed_blue",
            "s",
            "time.duration;obs.exposure",
            "Exposure time of the blue arm",
            datatype="float",
        ),
        number(
            "exposed_red", "s", "time.duration;obs.exposure", "Exposure time of the red arm", datatype="float"
        ),
        number("reduced", None, "meta.number", "Frames that are reduced", datatype="long"),
        important(number("mjd_start", "d", "time.start;obs", "Start of its first frame (MJD, UTC)")),
        number("mjd_end", "d", "time.end;obs", "End of its last frame (MJD, UTC)"),
    ),
)

LOG: Final = DeclaredTable(
    "paws.observing_log",
    "The observing log: one line a frame.",
    None,
    "vo.observing_log",
    "frame",
    "view",
    (
        important(_FRAME_ID, indexed=True),
        important(fibres.NIGHT, indexed=True),
        important(fibres.RUN),
        important(fibres.ARM),
        important(time("ut_start", "time.start;obs.exposure", "Start of the exposure")),
        important(_FRAME_CLASS),
        important(_OBJECT_NAME),
        important(fibres.FIELD),
        fibres.PLATE,
        important(fibres.GRATING),
        _CENTRE,
        important(fibres.EXPOSED),
        _AIRMASS,
        _PROPOSAL,
        fibres.LEVEL,
        important(fibres.SIGNAL_TO_NOISE),
        important(text("result", "meta.code.status", "What became of it")),
    ),
    keys=(DeclaredKey("paws.frames", (("frame_id", "frame_id"),), "The frame"),),
)
