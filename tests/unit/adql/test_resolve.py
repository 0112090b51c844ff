"""Which types values have, and what follows into a result."""

from __future__ import annotations

import pytest
from astropy.io.votable.ucd import check_ucd

from adql import compile_query
from adql.errors import AdqlTypeError
from adql.typed import (
    Arithmetic,
    Call,
    Cast,
    Constant,
    Kind,
)
from tests.unit.adql.trees import select

# --- output names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selected", "names"),
    [
        ("ra, dec", ["ra", "dec"]),
        ("RA", ["ra"]),
        ('mag AS "Mag"', ["Mag"]),
        ("COUNT(*), MAX(mag), SUM(mag * 2)", ["count_all", "max_mag", "sum_value"]),
        ("UPPER(name), PI(), ra + 1, 'x'", ["upper_name", "pi_value", "column_3", "column_4"]),
        ("CAST(ra AS REAL)", ["ra"]),
        ("ra, ra, RA AS Ra, dec AS ra_2", ["ra", "ra_3", "Ra_4", "ra_2"]),
    ],
)
def test_output_columns_have_names_that_no_other_has(outputs, selected, names):
    assert [one[0] for one in outputs(f"SELECT {selected} FROM objects")] == names


# --- types and metadata -------------------------------------------------------------------------------------

DOUBLE = "double"
FOLLOWS = [
    ("ra", "double", "deg", "pos.eq.ra;meta.main"),
    ("mag", "float", "mag", "phot.mag;em.opt.V"),
    ("-mag", "float", "mag", "phot.mag;em.opt.V"),
    ("mag + mag", "float", "mag", "phot.mag;em.opt.V"),
    ("mag + 1", "double", "mag", "phot.mag;em.opt.V"),
    ("2 * ra", "double", "deg", "pos.eq.ra;meta.main"),
    ("ra + mag", "double", None, None),
    ("ra * mag", "double", "deg.mag", None),
    ("ra * ra", "double", "deg**2", None),
    ("ra / dec", "double", None, None),
    ("ra / pmra", "double", "deg/(mas/yr)", None),
    ("1 / ra", "double", "deg**-1", None),
    ("visits / 2", "int", None, None),
    ("visits + 9999999999", "long", None, None),
    ("visits * 1.0", "double", None, None),
    ("ABS(mag)", "float", "mag", "phot.mag;em.opt.V"),
    ("ROUND(mag, 1)", "double", "mag", "phot.mag;em.opt.V"),
    ("LOG10(mag)", "double", None, None),
    ("RADIANS(ra)", "double", "rad", None),
    ("ATAN2(ra, dec)", "double", "rad", None),
    ("POWER(ra, 2)", "double", "deg**2", None),
    ("SQRT(POWER(pmra, 2) + POWER(pmra, 2))", "double", "mas/yr", None),
    ("IN_UNIT(ra, 'arcsec')", "double", "arcsec", "pos.eq.ra;meta.main"),
    ("IN_UNIT(pmra, 'deg/yr')", "double", "deg/yr", "pos.pm;pos.eq.ra"),
    ("MOD(visits, 2)", "int", None, None),
    ("COALESCE(mag, 0)", "double", "mag", "phot.mag;em.opt.V"),
    ("COALESCE(ra, mag)", "double", None, None),
    ("COALESCE(NULL, name)", "unicodeChar", None, "meta.id;meta.main"),
    ("UPPER(name)", "unicodeChar", None, "meta.id;meta.main"),
    ("name || 1", "unicodeChar", None, None),
    ("CASE WHEN mag > 1 THEN visits ELSE 1.5 END", "double", None, None),
    ("CAST(ra AS REAL)", "float", "deg", "pos.eq.ra;meta.main"),
    ("CAST(ra AS VARCHAR)", "char", None, None),
    ("CAST(seen AS VARCHAR)", "char", None, None),
    ("DISTANCE(ra, dec, 1, 2)", "double", "deg", "pos.angDistance"),
    ("DISTANCE(POINT(ra, dec), CENTROID(footprint))", "double", "deg", "pos.angDistance"),
    ("AREA(footprint)", "double", "deg**2", "phys.angArea"),
    ("POINT(ra, dec)", "double", "deg", "pos.eq"),
    ("COORD1(POINT(ra, dec))", "double", "deg", "pos.eq.ra"),
    ("CONTAINS(POINT(ra, dec), footprint)", "int", None, None),
    ("1", "int", None, None),
    ("0x7FFFFFFF", "int", None, None),
    ("2147483648", "long", None, None),
    ("99999999999999999999", "double", None, None),
    ("1.0", "double", None, None),
    ("'é'", "unicodeChar", None, None),
]


@pytest.mark.parametrize(("value", "datatype", "unit", "ucd"), FOLLOWS)
def test_type_unit_and_ucd_follow_into_the_result(outputs, value, datatype, unit, ucd):
    assert [one[1:] for one in outputs(f"SELECT {value} FROM objects")] == [(datatype, unit, ucd)]


AGGREGATES = [
    ("COUNT(*)", "long", None, "meta.number"),
    ("COUNT(DISTINCT ra)", "long", None, "meta.number"),
    ("MIN(mag)", "float", "mag", "phot.mag;em.opt.V;stat.min"),
    ("MAX(seen)", "char", None, "time.epoch;stat.max"),
    ("AVG(visits)", "double", None, None),
    ("AVG(ra)", "double", "deg", "pos.eq.ra;stat.mean"),
    ("SUM(visits)", "long", None, None),
    ("SUM(mag)", "double", "mag", "phot.mag;em.opt.V;arith.sum"),
    ("MAX(mag) - MIN(mag)", "float", "mag", None),
]


@pytest.mark.parametrize(("value", "datatype", "unit", "ucd"), AGGREGATES)
def test_aggregates_keep_unit_and_say_in_the_ucd_what_they_are(outputs, value, datatype, unit, ucd):
    assert [one[1:] for one in outputs(f"SELECT {value} FROM objects")] == [(datatype, unit, ucd)]
    assert ucd is None or check_ucd(ucd, check_controlled_vocabulary=True)


def test_everything_known_of_a_column_follows_through_queries_within(resolved):
    (column,) = resolved(
        "WITH w AS (SELECT mag AS v FROM objects) SELECT x FROM (SELECT v AS x FROM w UNION SELECT v FROM w) AS q"
    ).expression.outputs
    meta = column.meta
    assert (meta.unit, meta.ucd, meta.utype, meta.description) == ("mag", "phot.mag;em.opt.V", "src:mag", "V")


def test_the_sides_of_a_union_keep_what_they_agree_on(outputs):
    assert outputs("SELECT visits AS n FROM objects UNION ALL SELECT ra FROM objects") == [
        ("n", "double", None, None)
    ]
    assert outputs("SELECT mag FROM objects UNION SELECT mag FROM spectra") == [
        ("mag", "double", "mag", None)
    ]
    assert outputs("SELECT NULL AS m FROM objects UNION SELECT mag FROM objects") == [
        ("m", "float", "mag", "phot.mag;em.opt.V")
    ]


def test_geometries_say_of_which_kind_they_are(resolved):
    query = resolved(
        "SELECT POINT(1, 2), CIRCLE(1, 2, 3), BOX(1, 2, 3, 4), POLYGON(1,2, 3,4, 5,6), footprint, "
        "REGION('Circle ICRS 1 2 3'), REGION('UNION (CIRCLE 1 2 3)') FROM objects"
    )
    assert [one.meta.xtype for one in query.expression.outputs] == [
        "point",
        "circle",
        "polygon",
        "polygon",
        "circle",
        "circle",
        "region",
    ]


@pytest.mark.parametrize(
    "value",
    [
        "CIRCLE(ra, dec, 1)",
        "CIRCLE('ICRS', ra, dec, 1)",
        "CIRCLE('', ra, dec, 1)",
        "CIRCLE('ICRS GEOCENTER', POINT(NULL, ra, dec), 1)",
        "CIRCLE(POINT(ra, dec), 1)",
    ],
)
def test_all_forms_of_a_geometry_become_one(resolved, value):
    query = select(resolved(f"SELECT {value}, CIRCLE(ra, dec, 1) FROM objects"))
    assert query.outputs[0].expression == query.outputs[1].expression


def test_a_polygon_of_columns_is_of_numbers_or_of_points_by_their_type(resolved):
    numbers = (
        select(resolved("SELECT POLYGON(ra, dec, ra, dec, mag, mag) FROM objects")).outputs[0].expression
    )
    points = (
        select(resolved("SELECT POLYGON(p, p, p) FROM (SELECT POINT(ra, dec) AS p FROM objects) AS q"))
        .outputs[0]
        .expression
    )
    assert isinstance(numbers, Call)
    assert isinstance(points, Call)
    assert {one.meta.kind for one in (*numbers.arguments, *points.arguments)} == {Kind.POINT}
    assert len(numbers.arguments) == len(points.arguments) == 3


def test_units_are_converted_by_a_factor(resolved):
    value = select(resolved("SELECT IN_UNIT(ra, 'arcmin') FROM objects")).outputs[0].expression
    assert isinstance(value, Arithmetic)
    assert isinstance(value.right, Constant)
    assert value.right.value == pytest.approx(60)


def test_texts_that_meet_times_and_truth_values_become_such(resolved):
    query = select(
        resolved("SELECT ra FROM objects WHERE seen >= '2026-11-22T18:30:00' AND visible = 'true'")
    )
    time, truth = query.where.terms  # type: ignore[union-attr]  # two conditions
    assert isinstance(time.right, Cast)
    assert time.right.target == "TIMESTAMP"
    assert truth.right == Constant(True, truth.right.meta)


def test_a_text_before_between_and_in_becomes_a_time_as_well(resolved):
    query = select(
        resolved(
            "SELECT ra FROM objects WHERE '2026-11-22' BETWEEN seen AND seen OR '2026-11-22' IN (seen, seen)"
        )
    )
    assert all(isinstance(term.operand, Cast) for term in query.where.terms)  # type: ignore[union-attr]  # two conditions


def test_a_coordinate_system_near_icrs_is_taken_for_it_with_a_warning(resolved):
    query = resolved(
        "SELECT ra FROM objects WHERE 1 = CONTAINS(POINT('FK5', ra, dec), CIRCLE('FK5', 1, 2, 3))"
    )
    assert len(query.warnings) == 1
    assert "taken as ICRS" in query.warnings[0]


MISMATCHES = [
    ("SELECT ra FROM objects WHERE ra = '10'", "a number cannot be compared with a text", "without quotes"),
    ("SELECT ra FROM objects WHERE name > 3", "cannot be compared", ""),
    ("SELECT ra FROM objects WHERE name IN (1, 2)", "cannot be compared", ""),
    ("SELECT ra FROM objects WHERE name BETWEEN 1 AND 2", "cannot be compared", ""),
    ("SELECT ra FROM objects WHERE seen > name", "cannot be compared", "AS TIMESTAMP"),
    ("SELECT ra FROM objects WHERE seen > '2026-02-30'", "is no time", "2026-11-22T18:30:00"),
    ("SELECT ra FROM objects WHERE seen > 'yesterday'", "is no time", ""),
    ("SELECT ra FROM objects WHERE visible = 'perhaps'", "is no truth value", "'true'"),
    ("SELECT ra FROM objects WHERE ra LIKE '1%'", "LIKE needs a text", "AS VARCHAR"),
    ("SELECT ra FROM objects WHERE footprint = 1", "cannot be compared", ""),
    ("SELECT ra FROM objects WHERE footprint < footprint", "no smaller or larger circle", ""),
    ("SELECT ra FROM objects WHERE fluxes = fluxes", "no smaller|arrays cannot be compared", ""),
    ("SELECT name + 1 FROM objects", "a number is needed", "AS DOUBLE PRECISION"),
    ("SELECT '30' * 2 FROM objects", "a number is needed", ""),
    ("SELECT seen - 1 FROM objects", "a number is needed to calculate, not a time", ""),
    ("SELECT footprint || 'x' FROM objects", "cannot be joined", ""),
    ("SELECT UPPER(ra) FROM objects", "UPPER needs a text as argument 1, not a number", ""),
    ("SELECT ABS(name) FROM objects", "ABS needs a number as argument 1, not a text", ""),
    ("SELECT AVG(name) FROM objects", "AVG needs numbers", ""),
    ("SELECT MAX(footprint) FROM objects", "MAX needs numbers, texts or times", ""),
    ("SELECT DISTANCE(footprint, POINT(1, 2)) FROM objects", "DISTANCE needs a point", "CENTROID"),
    ("SELECT CONTAINS(ra, footprint) FROM objects", "CONTAINS needs a", ""),
    ("SELECT POINT('GALACTIC', 1, 2) FROM objects", "GALACTIC are not known", "ICRS"),
    ("SELECT POINT('ICRS', 1) FROM objects", "POINT cannot have 1 argument", "POINT(longitude, latitude)"),
    ("SELECT ra FROM objects WHERE epoch > '2026-11-22'", "cannot be compared", "Modified Julian Date"),
    ("SELECT CIRCLE(1, 2, -3) FROM objects", "between 0 and 180", ""),
    ("SELECT ivo_hasword(name) FROM objects", "cannot have 1 argument", "ivo_hasword(haystack"),
    ("SELECT CAST(footprint AS INTEGER) FROM objects", "cannot be made", ""),
    ("SELECT IN_UNIT(ra, 'kg') FROM objects", "measure different things", ""),
    ("SELECT IN_UNIT(ra, 'bogus') FROM objects", "no unit", "'deg'"),
    ("SELECT IN_UNIT(visits, 'm') FROM objects", "not known", ""),
    ("SELECT IN_UNIT(name, 'm') FROM objects", "needs a number", ""),
    ("SELECT COALESCE(ra, name) FROM objects", "do not go together", ""),
    ("SELECT CASE WHEN ra > 1 THEN 1 ELSE 'x' END FROM objects", "do not go together", ""),
    ("SELECT CASE name WHEN 1 THEN 2 END FROM objects", "cannot be compared", ""),
    ("SELECT 1e999 FROM objects", "too large", ""),
    ("SELECT ra FROM objects UNION SELECT ra, dec FROM objects", "equally many columns", ""),
    ("SELECT ra FROM objects UNION SELECT name FROM objects", "column 1 of the two sides", ""),
    ("SELECT ra FROM objects WHERE ra IN (SELECT ra, dec FROM objects)", "has one column, not 2", ""),
    ("SELECT ra FROM objects WHERE ra IN (SELECT name FROM objects)", "is no text", ""),
    (
        "SELECT m.name FROM mine AS m NATURAL LEFT JOIN (SELECT ra FROM objects) AS q",
        "no column in common",
        "",
    ),
    ("SELECT ra, COUNT(*) FROM objects", "ra is neither in GROUP BY", "add it to GROUP BY"),
    ("SELECT name, MAX(mag) + ra FROM objects GROUP BY name", "ra is neither in GROUP BY", ""),
    ("SELECT * FROM objects GROUP BY name", "ra is neither in GROUP BY", ""),
    ("SELECT name FROM objects GROUP BY name HAVING ra > 1", "ra is neither in GROUP BY", ""),
    ("SELECT name FROM objects GROUP BY name ORDER BY ra", "ra is neither in GROUP BY", ""),
    ("SELECT x, COUNT(*) FROM (SELECT ra AS x FROM objects) AS q", "x is neither in GROUP BY", ""),
    ("SELECT COUNT(*) AS n FROM objects GROUP BY n", "an aggregate cannot be grouped by", ""),
    ("SELECT COUNT(*) AS n FROM objects GROUP BY 1", "an aggregate cannot be grouped by", ""),
    ("SELECT 'x' AS k, COUNT(*) FROM objects GROUP BY k", "grouped by a constant", ""),
    ("SELECT COUNT(*) FROM objects GROUP BY -1", "grouped by a constant", ""),
    ("SELECT CAST('2026-02-30' AS TIMESTAMP) FROM objects", "is no time", ""),
    ("SELECT fluxes + 1 FROM objects", "a number is needed to calculate, not an array", ""),
    ("SELECT DISTINCT ra FROM objects ORDER BY dec", "ordered only by what it selects", ""),
    ("SELECT ra FROM objects ORDER BY footprint", "ordered by a circle", ""),
    ("SELECT ra FROM objects ORDER BY 'x'", "ordered by a constant", ""),
]


@pytest.mark.parametrize(("text", "message", "hint"), MISMATCHES)
def test_what_does_not_go_together_is_refused(resolved, text, message, hint):
    with pytest.raises(AdqlTypeError) as caught:
        resolved(text)
    assert any(one in caught.value.message for one in message.split("|"))
    assert hint in caught.value.suggestion
    assert caught.value.line == 1


@pytest.mark.parametrize(
    "text",
    [
        "SELECT FLOOR(mag), COUNT(*) FROM objects GROUP BY FLOOR(mag) ORDER BY FLOOR(mag) + MAX(ra)",
        "SELECT FLOOR(mag) + 1, 'x', COUNT(*) FROM objects GROUP BY FLOOR(mag) HAVING FLOOR(mag) > 1",
        "SELECT o.name FROM objects AS o GROUP BY name HAVING COUNT(*) > 1",
        "SELECT name FROM objects AS o WHERE EXISTS (SELECT COUNT(*) + o.ra FROM spectra)",
        "SELECT ivo_string_agg(name, ',') FROM objects",
        "SELECT MAX(mag), CASE WHEN MIN(ra) > 1 THEN 'east' ELSE 'west' END FROM objects",
    ],
)
def test_grouped_values_and_aggregates_stand_together(resolved, text):
    assert resolved(text)


def _powers(depth: int) -> str:
    value = "ra"
    for _ in range(depth):
        value = f"POWER(-({value} + 1) * 2, 2)"
    return f"SELECT ra FROM objects WHERE 1 = CONTAINS(POINT({value}, dec), CIRCLE(1, 2, 3))"


def _within(depth: int) -> str:
    text = "SELECT ra FROM objects"
    for number in range(depth):
        text = f"SELECT ra FROM ({text}) AS q{number} WHERE ra IN (SELECT dec FROM objects)"
    return text


@pytest.mark.parametrize("backend", ["pgsphere", "cube"])
@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + " + ".join(["ra"] * 115) + " AS x FROM objects",
        "SELECT ABS(" + "ABS(" * 60 + "ra" + ")" * 60 + ") AS x FROM objects",
        " UNION ".join(["SELECT ra FROM objects"] * 115),
        _powers(28),
        _within(16),
    ],
    ids=["sum", "calls", "unions", "powers", "subqueries"],
)
def test_the_deepest_queries_that_are_read_do_not_run_out_of_stack(catalogue, text, backend):
    assert compile_query(text, catalogue, backend).sql
