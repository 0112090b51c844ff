"""All functions that can be called, in one table."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from adql import metas
from adql.function import (
    ANY,
    CONDITIONAL,
    GEO,
    GEOMETRY,
    NUMBER,
    POINT,
    STRINGS,
    TEXT,
    Function,
    always,
    first_known,
    in_unit,
    like_first,
    of_region_text,
    raised,
    remainder,
    rounded,
    square_root,
)
from adql.udfs import UDFS

_NUMBER_OF_ANYTHING: Final = always(metas.DOUBLE)

MATHEMATICS: Final = (
    Function("ABS", (NUMBER,), like_first),
    Function("CEILING", (NUMBER,), rounded),
    Function("FLOOR", (NUMBER,), rounded),
    Function("ROUND", (NUMBER, NUMBER), rounded, optional=1),
    Function("TRUNCATE", (NUMBER, NUMBER), rounded, optional=1),
    Function("DEGREES", (NUMBER,), in_unit("deg")),
    Function("RADIANS", (NUMBER,), in_unit("rad")),
    Function("EXP", (NUMBER,), _NUMBER_OF_ANYTHING),
    Function("LOG", (NUMBER,), _NUMBER_OF_ANYTHING),
    Function("LOG10", (NUMBER,), _NUMBER_OF_ANYTHING),
    Function("MOD", (NUMBER, NUMBER), remainder),
    Function("PI", (), _NUMBER_OF_ANYTHING),
    Function("POWER", (NUMBER, NUMBER), raised),
    Function("RAND", (NUMBER,), _NUMBER_OF_ANYTHING, optional=1),
    Function("SQRT", (NUMBER,), square_root),
    Function("ACOS", (NUMBER,), in_unit("rad")),
    Function("ASIN", (NUMBER,), in_unit("rad")),
    Function("ATAN", (NUMBER,), in_unit("rad")),
    Function("ATAN2", (NUMBER, NUMBER), in_unit("rad")),
    Function("COS", (NUMBER,), _NUMBER_OF_ANYTHING),
    Function("COT", (NUMBER,), _NUMBER_OF_ANYTHING),
    Function("SIN", (NUMBER,), _NUMBER_OF_ANYTHING),
    Function("TAN", (NUMBER,), _NUMBER_OF_ANYTHING),
)

TEXTS: Final = (
    Function("LOWER", (TEXT,), like_first, feature=STRINGS),
    Function("UPPER", (TEXT,), like_first, feature=STRINGS),
    Function("COALESCE", (ANY,), first_known, repeated=True, feature=CONDITIONAL),
)

GEOMETRIES: Final = (
    Function("POINT", (NUMBER, NUMBER), always(metas.POINT), feature=GEO),
    Function("CIRCLE", (POINT, NUMBER), always(metas.CIRCLE), feature=GEO),
    Function("BOX", (POINT, NUMBER, NUMBER), always(metas.POLYGON), feature=GEO),
    Function("POLYGON", (POINT, POINT, POINT), always(metas.POLYGON), repeated=True, feature=GEO),
    Function("REGION", (TEXT,), of_region_text, feature=GEO),
    Function("CENTROID", (GEOMETRY,), always(metas.POINT), feature=GEO),
    Function("CONTAINS", (GEOMETRY, GEOMETRY), always(metas.INT), feature=GEO),
    Function("INTERSECTS", (GEOMETRY, GEOMETRY), always(metas.INT), feature=GEO),
    Function(
        "DISTANCE",
        (POINT, POINT),
        always(replace(metas.DOUBLE, unit="deg", ucd="pos.angDistance")),
        feature=GEO,
    ),
    Function(
        "AREA", (GEOMETRY,), always(replace(metas.DOUBLE, unit="deg**2", ucd="phys.angArea")), feature=GEO
    ),
    Function("COORD1", (POINT,), always(replace(metas.DOUBLE, unit="deg", ucd="pos.eq.ra")), feature=GEO),
    Function("COORD2", (POINT,), always(replace(metas.DOUBLE, unit="deg", ucd="pos.eq.dec")), feature=GEO),
    Function("COORDSYS", (GEOMETRY,), always(metas.TEXT), feature=GEO),
)
"""After the resolver: coordinate systems are gone, and pairs of numbers have become points."""

FUNCTIONS: Final = {function.name: function for function in (*MATHEMATICS, *TEXTS, *GEOMETRIES, *UDFS)}
"""By name: ADQL's in upper case, user defined ones in lower case."""
