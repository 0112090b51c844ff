"""What is ADQL 2.1 and what is not, and which tree it has."""

from __future__ import annotations

import pytest

from adql import parse
from adql.errors import AdqlLimitError, AdqlSyntaxError
from adql.text import render
from adql.tree import (
    And,
    Binary,
    Boolean,
    Call,
    Case,
    ColumnReference,
    Comparison,
    Identifier,
    Join,
    Not,
    Number,
    Or,
    Query,
    QueryExpression,
    Select,
    SelectItem,
    SetOperation,
    String,
    Unary,
)

VALID = [
    "SELECT * FROM objects",
    "select all ra , dec from objects",
    "SELECT DISTINCT TOP 7 ra FROM objects",
    "SELECT TOP 0 ra FROM objects",
    "SELECT TOP\n\n 3*\nFROM objects",
    "SELECT o.*, survey.spectra.*, 12 FROM objects AS o, survey.spectra",
    "SELECT ra, * FROM objects",
    "SELECT 1, .5, 1., 2.5e-3, 1E10, 0x1F, -3, +4 FROM objects",
    "SELECT 89x FROM objects",
    "SELECT 'it''s', '', 'µ ☉' FROM objects",
    "SELECT 'a' -- comment ' with quotes\n 'b' FROM objects",
    'SELECT "select", "a ""b"" c" AS "99 names" FROM "Odd Schema"."Odd Table"',
    "SELECT a.b.c.d FROM b.c",
    "SELECT a FROM x.y.z",
    "SELECT a--b\nFROM t--c",
    "SELECT a FROM t;",
    "SELECT a FROM t JOIN u ON t.a = u.a LEFT JOIN v USING (a, b) RIGHT OUTER JOIN w ON 1 = 1",
    "SELECT a FROM t NATURAL FULL OUTER JOIN u, v",
    "SELECT a FROM t JOIN (u JOIN v USING (b)) USING (a)",
    "SELECT a FROM ((SELECT b FROM t) AS x JOIN u USING (a)), v",
    "SELECT a FROM ((SELECT b FROM t) UNION (SELECT b FROM u)) x",
    "SELECT a FROM t JOIN u ON t.a=u.a",
    "SELECT a FROM t WHERE a=1 OR b<>2 AND NOT c!=3",
    "SELECT a FROM t WHERE (a + 1) * 2 > (b) AND (a > 1 OR (b) IS NOT NULL)",
    "SELECT a FROM t WHERE a BETWEEN(1)AND 2 AND b NOT BETWEEN 3 AND 4",
    "SELECT a FROM t WHERE a IN (1) AND b NOT IN ('x', 'y') AND c IN (SELECT d FROM u)",
    "SELECT a FROM t WHERE a IN ((SELECT b FROM u) EXCEPT (SELECT c FROM v))",
    "SELECT a FROM t WHERE a LIKE 'x%' AND b NOT ILIKE 'y' || '%' AND EXISTS (SELECT * FROM u)",
    "SELECT a || 'b' || 3 FROM t",
    "SELECT COUNT(*), COUNT(DISTINCT a), MAX(ALL a), AVG(a + 1) FROM t GROUP BY b HAVING SUM(a) > 3",
    "SELECT a FROM t GROUP BY a, b + 1 ORDER BY 1 DESC, a ASC, COUNT(*)",
    "SELECT a FROM t ORDER BY 2desc OFFSET 10",
    "SELECT CAST(a AS CHAR), CAST(a AS VARCHAR(30)), CAST(a AS DOUBLE PRECISION), CAST('1 2' AS POINT) FROM t",
    "SELECT COALESCE(a, NULL, 3), UPPER(b), IN_UNIT(a, 'km/s'), PI(), RAND(), RAND(3), ROUND(a, -2) FROM t",
    "SELECT COT(a), ATAN2(a, b), MOD(a, 2), TRUNCATE(a) FROM t",
    "SELECT CASE WHEN a > 1 THEN 'x' WHEN b IS NULL THEN 'y' ELSE 'z' END, CASE a WHEN 1 THEN 2 END FROM t",
    "SELECT POINT(1, 2), POINT('ICRS', a, b), POINT(NULL, a, b), POINT('', 'x', 2) FROM t",
    "SELECT CIRCLE(1, 2, 3), CIRCLE('ICRS', a, b, 1), CIRCLE(POINT(1, 2), r), CIRCLE(p, 1) FROM t",
    "SELECT BOX(1, 2, 3, 4), BOX('ICRS', 1, 2, 3, 4), BOX(POINT(1, 2), 3, 4) FROM t",
    "SELECT POLYGON(1,2, 3,4, 5,6), POLYGON('ICRS', 1,2, 3,4, 5,6, 7,8), POLYGON(p, q, r, s, t) FROM t",
    "SELECT DISTANCE(p, POINT(1, 2)), DISTANCE(1, 2, 3, 4), DISTANCE(CENTROID(c), ivo_point(1)) FROM t",
    "SELECT AREA(c), COORD1(p), COORD2(POINT(1, 2)), COORDSYS(p), CENTROID(c), REGION('CIRCLE 1 2 3') FROM t",
    "SELECT a FROM t WHERE 1 = CONTAINS(POINT(a, b), CIRCLE(1, 2, 3)) AND INTERSECTS(c, d) = 0",
    "SELECT anything_prefixed(a, 'b', CIRCLE(1, 2, 3)) FROM t",
    "SELECT a FROM t UNION SELECT a FROM u INTERSECT ALL SELECT a FROM v EXCEPT (SELECT TOP 3 a FROM w ORDER BY a)",
    "(SELECT a FROM t)",
    "WITH x AS (SELECT a FROM t), y AS (SELECT a FROM x ORDER BY a) SELECT * FROM y UNION SELECT * FROM x ORDER BY a",
    "SELECT a FROM t WHERE visible = TRUE",
]

INVALID = [
    ("", "SELECT or WITH", ""),
    ("SELEC a FROM t", "SELECT or WITH", "did you mean SELECT instead of SELEC?"),
    ("DROP TABLE t", "SELECT or WITH", "nothing can be changed"),
    ("SELECT a FROM t; DROP TABLE t", "more after the end", "one query at a time"),
    ("SELECT FROM t", "a column or value", "select something"),
    ("SELECT a, FROM t", "a column or value", "comma too many"),
    ("SELECT a", "FROM", "every SELECT needs a FROM"),
    ("SELECT a FORM t", "FROM", "did you mean FROM instead of FORM?"),
    ("SELECT a b c FROM t", "FROM or a comma", ""),
    ("SELECT a FROM", "a table", ""),
    ("SELECT a FROM t WHERE", "a value", ""),
    ("SELECT a FROM t WEHRE a = 1", "the end of the query", "did you mean WHERE instead of WEHRE?"),
    ("SELECT a FROM t LIMIT 3", "should end", "SELECT TOP n"),
    ("SELECT a FROM t CROSS JOIN u", "no CROSS JOIN", "comma"),
    ("SELECT a FROM (SELECT b FROM t AS x CROSS JOIN u) AS v", "no CROSS JOIN", "comma"),
    ("SELECT a FROM (t CROSS JOIN u)", "no CROSS JOIN", "comma"),
    ("SELECT a FROM t)", "should end", "not opened"),
    ("SELECT TOP -3 a FROM t", "a whole number of rows", ""),
    ("SELECT TOP 2.5 a FROM t", "a whole number of rows", ""),
    ("SELECT TOP 9999999999999999999 a FROM t", "a whole number of rows", ""),
    ("SELECT a FROM t OFFSET -1", "a whole number of rows", ""),
    ("SELECT size FROM t", "reserved word", 'in double quotes: "size"'),
    ("SELECT a FROM distinct", "reserved word", '"distinct"'),
    ("SELECT a AS max FROM t", "reserved word", '"max"'),
    ("SELECT a + FROM t", "missing before FROM", ""),
    ("SELECT _a FROM t", "no meaning", "double quotes"),
    ("SELECT größe FROM t", "no meaning", "double quotes"),
    ("SELECT ö FROM t", "no meaning", "letters A to Z"),
    ("SELECT “a” FROM t", "no meaning", "straight double quote"),
    ("SELECT a FROM t WHERE b = 'x", "not closed", "single quote"),
    ('SELECT "a FROM t', "not closed", "double quote"),
    ('SELECT "" FROM t', "empty", ""),
    ("SELECT a /* no */ FROM t", "no comment", "--"),
    ("SELECT a FROM t WHERE a & 1 = 1", "no meaning", "bits"),
    ("SELECT a::int FROM t", "no meaning", "CAST"),
    ("SELECT a FROM t WHERE a = ?", "no meaning", ""),
    ("SELECT 'a' 'b' FROM t", "FROM or a comma", ""),
    ("SELECT a.b.c.d.e FROM t", "at most four parts", ""),
    ("SELECT a FROM b.c.d.e", "at most three parts", ""),
    ("SELECT a FROM t AS", "a name for the table", ""),
    ("SELECT a FROM (SELECT a FROM t)", "needs a name", "AS name"),
    ("SELECT a FROM (t)", "JOIN", "without parentheses"),
    ("SELECT a FROM generate_series(1, 9)", "function cannot stand in FROM", ""),
    ("SELECT a FROM t NATURAL JOIN u ON t.a = u.a", "exclude each other", ""),
    ("SELECT a FROM t, u ON t.a = u.a", "the end of the query", ""),
    ("SELECT a FROM t JOIN u ON a", "a condition is needed", ""),
    ("SELECT a FROM t quatsch JOIN u", "ON or USING is needed", "which rows belong together"),
    ("SELECT a FROM t WHERE CONTAINS(a, b)", "a condition is needed", "1 = CONTAINS"),
    ("SELECT a FROM t WHERE a == 1", "a value", "one ="),
    ("SELECT a FROM t WHERE a = 1 = 2", "this is a condition", ""),
    ("SELECT a > 1 FROM t", "this is a condition", ""),
    ("SELECT a FROM t WHERE (a > 1) + 1 = 2", "this is a condition", ""),
    ("SELECT a FROM t WHERE a IN 5", "(", "IN (value"),
    ("SELECT a FROM t WHERE a IN (1, )", "a value", "comma too many"),
    ("SELECT a FROM t WHERE a IN ()", "a value", ""),
    ("SELECT a FROM t WHERE a IS 3", "NULL", "IS NOT NULL"),
    ("SELECT a FROM t WHERE a NOT NULL", "BETWEEN or IN", ""),
    ("SELECT a FROM t WHERE a BETWEEN 1 OR 2", "AND", "low AND high"),
    ("SELECT a FROM t WHERE EXISTS u", "a query in parentheses", ""),
    ("SELECT a FROM t WHERE (a = 1", ")", ""),
    ("SELECT a FROM t WHERE MAX(a) > 1", "cannot stand in WHERE", "HAVING"),
    ("SELECT a FROM t JOIN u ON MAX(a) = 1", "cannot stand in ON", ""),
    ("SELECT a FROM t GROUP BY COUNT(*)", "cannot stand in GROUP BY", ""),
    ("SELECT MAX(MIN(a)) FROM t", "another aggregate", ""),
    ("SELECT SUM(*) FROM t", "a value", ""),
    ("SELECT a FROM t GROUP a", "BY", ""),
    ("SELECT (SELECT a FROM u) FROM t", "cannot stand for a value", "derived table"),
    ("SELECT a FROM (WITH x AS (SELECT a FROM t) SELECT a FROM x) AS y", "WITH cannot stand", "outermost"),
    ("WITH RECURSIVE x AS (SELECT a FROM t) SELECT a FROM x", "recursive", ""),
    ("WITH x (a) AS (SELECT a FROM t) SELECT a FROM x", "AS", ""),
    ("SELECT TAN2(a) FROM t", "no function TAN2", "ATAN2"),
    ("SELECT sleep(9) FROM t", "no function sleep", ""),
    ("SELECT PI FROM t", "reserved word", ""),
    ("SELECT ABS() FROM t", "takes 1 argument, not 0", ""),
    ("SELECT POWER(2) FROM t", "takes 2 arguments, not 1", ""),
    ("SELECT ROUND(a, b) FROM t", "ROUND cannot have", "whole number of places"),
    ("SELECT COALESCE(NULL, NULL) FROM t", "COALESCE cannot have", ""),
    ("SELECT IN_UNIT(a, b) FROM t", "IN_UNIT cannot have", "as a text"),
    ("SELECT CIRCLE('ICRS', 1, 2) FROM t", "CIRCLE cannot have", "CIRCLE(point, radius)"),
    ("SELECT POLYGON(1,2, 3,4, 5) FROM t", "POLYGON cannot have", ""),
    ("SELECT POLYGON(1,2, 3,4) FROM t", "POLYGON cannot have", ""),
    ("SELECT DISTANCE(1, 2, 3) FROM t", "DISTANCE cannot have", ""),
    ("SELECT REGION(a) FROM t", "REGION cannot have", ""),
    ("SELECT POINT(1, 2) || 'a' FROM t", "nothing can be calculated with a geometry", ""),
    ("SELECT 1 + NULL FROM t", "nothing can be calculated with NULL", ""),
    ("SELECT - - 1 FROM t", "a value", "one sign"),
    ("SELECT CAST(a AS FLOAT) FROM t", "no type", "DOUBLE PRECISION"),
    ("SELECT CAST(a AS pg_class) FROM t", "no type", "VARCHAR"),
    ("SELECT CAST(a, INTEGER) FROM t", "AS", "CAST(value AS type)"),
    ("SELECT CASE a END FROM t", "WHEN", ""),
    ("SELECT CASE WHEN a THEN 1 END FROM t", "a condition is needed", ""),
    ("SELECT CASE WHEN a = 1 THEN 1 FROM t", "END", ""),
]


@pytest.mark.parametrize("text", VALID)
def test_valid_queries_are_read_and_written_back(text):
    tree = parse(text)
    assert parse(render(tree)) == tree


@pytest.mark.parametrize(("text", "message", "hint"), INVALID)
def test_invalid_queries_are_refused_with_a_hint(text, message, hint):
    with pytest.raises(AdqlSyntaxError) as caught:
        parse(text)
    assert message in caught.value.message
    assert hint in caught.value.suggestion
    assert caught.value.line == 1


def select(text: str) -> Select:
    body = parse(text).expression.body
    assert isinstance(body, Select)
    return body


def column(name: str) -> ColumnReference:
    return ColumnReference((Identifier(name),))


def value(text: str):
    item = select(f"SELECT {text} FROM t").items[0]
    assert isinstance(item, SelectItem)
    return item.expression


def condition(text: str):
    return select(f"SELECT a FROM t WHERE {text}").where


def test_products_bind_more_tightly_than_sums_and_both_from_the_left():
    assert value("a - b - c * 2") == Binary(
        "-", Binary("-", column("a"), column("b")), Binary("*", column("c"), Number("2"))
    )


def test_signs_bind_most_tightly():
    assert value("-a * 2") == Binary("*", Unary("-", column("a")), Number("2"))


def test_not_binds_more_tightly_than_and_and_that_more_than_or():
    one, two, three = (Comparison("=", column(name), Number("1")) for name in "abc")
    assert condition("NOT a = 1 AND b = 1 OR c = 1") == Or((And((Not(one), two)), three))
    assert condition("a = 1 AND (b = 1 AND c = 1)") == And((one, two, three))
    assert condition("a = 1 AND (b = 1 OR c = 1)") == And((one, Or((two, three))))


def test_both_signs_of_inequality_are_one():
    assert condition("a != 1") == condition("a <> 1")


def test_texts_on_following_lines_are_one_text():
    assert value("'it''s'\n-- and\n' so'") == String("it's so")


def test_intersect_binds_more_tightly_than_union():
    body = parse("SELECT a FROM t UNION ALL SELECT a FROM u INTERSECT SELECT a FROM v").expression.body
    assert isinstance(body, SetOperation)
    assert (body.operator, body.all) == ("UNION", True)
    assert isinstance(body.right, SetOperation)
    assert body.right.operator == "INTERSECT"


def test_order_belongs_to_the_whole_union_and_in_parentheses_to_a_part():
    query = parse("(SELECT TOP 3 a FROM t ORDER BY a) UNION SELECT a FROM u ORDER BY a DESC")
    assert query.expression.order_by[0].descending
    assert isinstance(query.expression.body, SetOperation)
    left = query.expression.body.left
    assert isinstance(left, QueryExpression)
    assert not left.order_by[0].descending


def test_joins_are_read_from_the_left():
    table = select("SELECT a FROM t JOIN u USING (a) LEFT JOIN v ON t.a = v.a").tables[0]
    assert isinstance(table, Join)
    assert table.kind == "LEFT"
    assert isinstance(table.left, Join)
    assert table.left.using == (Identifier("a"),)


def test_names_of_functions_are_upper_case_if_they_are_of_adql_else_lower():
    assert value("abs(1)") == Call("ABS", (Number("1"),))
    assert value("IVO_Foo(1)") == Call("ivo_foo", (Number("1"),), user_defined=True)


def test_a_delimited_keyword_is_a_name():
    assert value('"TRUE"') == ColumnReference((Identifier("TRUE", delimited=True),))
    assert value("TRUE") == Boolean(True)


def test_a_case_with_operand_has_values_and_one_without_has_conditions():
    simple, searched = value("CASE a WHEN 1 THEN 2 END"), value("CASE WHEN a = 1 THEN 2 END")
    assert isinstance(simple, Case)
    assert isinstance(searched, Case)
    assert simple.branches[0].test == Number("1")
    assert searched.branches[0].test == Comparison("=", column("a"), Number("1"))


def test_positions_point_into_the_text():
    text = "SELECT a,\n  b + 12 FROM t"
    item = select(text).items[1]
    assert isinstance(item, SelectItem)
    assert text[item.position :].startswith("b + 12")


def test_errors_say_line_column_token_and_fix_on_one_line():
    with pytest.raises(AdqlSyntaxError) as caught:
        parse("SELECT a\n  FROM size")
    assert str(caught.value) == (
        "a table is needed, and SIZE is a reserved word of ADQL (line 2, column 8, at size); "
        'if it is a name, write it in double quotes: "size"'
    )


DEEP = {
    "parentheses": "SELECT " + "(" * 5000 + "1" + ")" * 5000 + " FROM t",
    "sum": "SELECT " + "+".join(["1"] * 20_000) + " FROM t",
    "joined texts": "SELECT " + "||".join(["a"] * 500) + " FROM t",
    "not": "SELECT a FROM t WHERE " + "NOT " * 5000 + "a = 1",
    "calls": "SELECT " + "ABS(" * 3000 + "1" + ")" * 3000 + " FROM t",
    "case": "SELECT " + "CASE WHEN a = 1 THEN " * 1000 + "1" + " END" * 1000 + " FROM t",
    "unions": " UNION ".join(["SELECT a FROM t"] * 1000),
    "joins": "SELECT a FROM t" + " JOIN t USING (a)" * 1000,
    "subqueries": "SELECT a FROM " + "(SELECT a FROM " * 1000 + "t" + ") AS q" * 1000,
    "in": "SELECT a FROM t WHERE a IN " + "(SELECT a FROM t WHERE a IN " * 1000 + "(1)" + ")" * 1000,
    "queries": "(" * 3000 + "SELECT a FROM t" + ")" * 3000,
    "from": "SELECT a FROM " + "(" * 3000 + "t",
    "sums in sums": "SELECT " + "(" * 40 + "+".join(["1"] * 100) + ")+1" * 40 + " FROM t",
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP.keys())
def test_deep_queries_are_refused(text):
    with pytest.raises(AdqlLimitError, match="nested too deeply"):
        parse(text)


@pytest.mark.parametrize(
    "text", ["x" * 200_001, "SELECT " + "1," * 30_000 + "1 FROM t"], ids=["characters", "words"]
)
def test_long_queries_are_refused(text):
    with pytest.raises(AdqlLimitError, match="at most"):
        parse(text)


def test_long_lists_are_read():
    numbers = ", ".join(map(str, range(10_000)))
    assert isinstance(parse(f"SELECT a FROM t WHERE a IN ({numbers})"), Query)


def test_half_a_character_is_refused():
    with pytest.raises(AdqlSyntaxError, match="half a character"):
        parse("SELECT a FROM t WHERE b = '\ud800'")


def test_errors_are_of_one_line_whatever_names_hold():
    with pytest.raises(AdqlSyntaxError) as caught:
        parse('SELECT a FROM "x\n\x01"."b"."c"."d"')
    assert "\n" not in str(caught.value)
    assert "\\x0a\\x01" in str(caught.value)
