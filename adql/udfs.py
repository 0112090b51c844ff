"""User defined functions: those of the IVOA's catalogue, and DaCHS's that people know."""

from __future__ import annotations

from typing import Final

from adql import metas
from adql.function import INTEGER, NUMBER, TEXT, TIME, UDF, Function, always
from adql.typed import Kind, Meta

UDFS: Final = (
    Function(
        "ivo_healpix_index",
        (INTEGER, NUMBER, NUMBER),
        always(metas.LONG),
        feature=UDF,
        form="ivo_healpix_index(hpxOrder INTEGER, long DOUBLE PRECISION, lat DOUBLE PRECISION) -> BIGINT",
        description="Index of the HEALPix cell (nested, of the order given) that holds a position in degrees.",
    ),
    Function(
        "ivo_healpix_center",
        (INTEGER, NUMBER),
        always(metas.POINT),
        feature=UDF,
        form="ivo_healpix_center(hpxOrder INTEGER, hpxIndex BIGINT) -> POINT",
        description="Centre of the HEALPix cell with an index (nested) at an order.",
    ),
    Function(
        "ivo_hasword",
        (TEXT, TEXT),
        always(metas.INT),
        feature=UDF,
        form="ivo_hasword(haystack VARCHAR, needle VARCHAR) -> INTEGER",
        description="1 if the needle is a word of the haystack, or several of them, in any case of letters; else 0.",
    ),
    Function(
        "ivo_hashlist_has",
        (TEXT, TEXT),
        always(metas.INT),
        feature=UDF,
        form="ivo_hashlist_has(hashlist VARCHAR, item VARCHAR) -> INTEGER",
        description="1 if the item is one of a list whose items are separated by #, in any case of letters; else 0.",
    ),
    Function(
        "ivo_nocasematch",
        (TEXT, TEXT),
        always(metas.INT),
        feature=UDF,
        form="ivo_nocasematch(value VARCHAR, pattern VARCHAR) -> INTEGER",
        description="1 if the value matches the LIKE pattern in any case of letters; else 0.",
    ),
    Function(
        "ivo_string_agg",
        (TEXT, TEXT),
        always(metas.TEXT),
        feature=UDF,
        form="ivo_string_agg(expression VARCHAR, delimiter VARCHAR) -> VARCHAR",
        description="All texts of a group, joined by the delimiter.",
        aggregate=True,
    ),
    Function(
        "gavo_to_mjd",
        (TIME,),
        always(Meta(Kind.FLOAT, "double", unit="d", ucd="time.epoch")),
        feature=UDF,
        form="gavo_to_mjd(d TIMESTAMP) -> DOUBLE PRECISION",
        description="Modified Julian date of a timestamp.",
    ),
    Function(
        "gavo_to_jd",
        (TIME,),
        always(Meta(Kind.FLOAT, "double", unit="d", ucd="time.epoch")),
        feature=UDF,
        form="gavo_to_jd(d TIMESTAMP) -> DOUBLE PRECISION",
        description="Julian date of a timestamp.",
    ),
    Function(
        "ivo_interval_overlaps",
        (NUMBER, NUMBER, NUMBER, NUMBER),
        always(metas.INT),
        feature=UDF,
        form="ivo_interval_overlaps(l1 DOUBLE PRECISION, h1 DOUBLE PRECISION, l2 DOUBLE PRECISION, "
        "h2 DOUBLE PRECISION) -> INTEGER",
        description="1 if the intervals from l1 to h1 and from l2 to h2 have a point in common; else 0.",
    ),
)
