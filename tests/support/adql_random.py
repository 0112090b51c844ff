"""Random queries on the tables of `adql_sky`: deep, odd, and all of them such that a database must carry them out."""

from __future__ import annotations

from random import Random

_NUMBERS = ("ra", "dec", "mag", "pm", "flag", "id", "double_mag")
_ONE_NUMBER = (
    *("ABS", "CEILING", "FLOOR", "ROUND", "TRUNCATE", "DEGREES", "RADIANS", "EXP", "LOG", "LOG10", "SQRT"),
    *("ACOS", "ASIN", "ATAN", "COS", "COT", "SIN", "TAN"),
)


class RandomQueries:
    """Writes queries; the same ones for a seed.

    Parameters
    ----------
    depth
        Functions within functions.
    """

    def __init__(self, seed: int, depth: int = 2) -> None:
        self._random = Random(seed)
        self._depth = depth

    def query(self) -> str:
        """One query."""
        kind = self._random.randrange(4)
        number = self._number(self._depth, "s")
        condition = f"s.id < 200 AND {self._condition(self._depth, 's')}"
        if kind == 0:
            text, place = self._text(self._depth, "s"), self._region(self._depth, "s")
            return (
                f"SELECT TOP 9 {number} AS a, {text} AS b, {place} AS c FROM sky.stars AS s"
                f" WHERE {condition} ORDER BY a DESC, s.id"
            )
        if kind == 1:
            total = self._pick("COUNT(*)", f"SUM({number})", f"AVG({number})", f"MIN({self._text(1, 's')})")
            return f"SELECT s.flag + 1 AS g, {total} AS n FROM sky.stars AS s WHERE {condition} GROUP BY g ORDER BY n"
        if kind == 2:
            near = self._pick(
                f"s.id = t.id AND {condition}",
                f"DISTANCE(s.ra, s.dec, t.ra, t.dec) < t.reach AND {condition}",
                f"1 = CONTAINS(POINT(s.ra, s.dec), CIRCLE(t.ra, t.dec, t.reach + {self._random.random()})) AND s.id < 99",
            )
            join = self._pick("JOIN", "LEFT JOIN", "RIGHT JOIN")
            return f"SELECT TOP 5 s.id, {number} AS v FROM sky.stars AS s {join} sky.targets AS t ON {near}"
        operator = self._pick("UNION", "UNION ALL", "EXCEPT", "INTERSECT")
        return (
            f"WITH w AS (SELECT s.*, {number} AS z FROM sky.stars AS s WHERE {condition})"
            f" SELECT z FROM w WHERE {self._condition(1, 'w')} {operator}"
            f" SELECT {self._number(1, 'u')} FROM sky.stars AS u WHERE u.id < 9 ORDER BY z"
        )

    def _pick(self, *choices: str) -> str:
        return self._random.choice(choices)

    def _number(self, depth: int, table: str) -> str:
        if depth <= 0 or self._random.random() < 0.3:
            return self._pick(f"{table}.{self._pick(*_NUMBERS)}", self._pick("0", "1", "2.5", "1e-3"))
        one, other = self._number(depth - 1, table), self._number(depth - 1, table)
        return self._pick(
            f"({one} {self._pick('+', '-', '*', '/')} {other})",
            f"{self._pick(*_ONE_NUMBER)}({one})",
            f"{self._pick('ATAN2', 'MOD', 'POWER')}({one}, {other})",
            f"ROUND({one}, {self._random.randint(-2, 3)})",
            f"COALESCE({one}, {other})",
            f"CASE WHEN {self._condition(depth - 1, table)} THEN {one} ELSE {other} END",
            f"CAST({one} AS {self._pick('SMALLINT', 'INTEGER', 'BIGINT', 'REAL', 'DOUBLE PRECISION')})",
            f"CAST({self._text(depth - 1, table)} AS {self._pick('SMALLINT', 'BIGINT', 'REAL')})",
            f"DISTANCE({self._point(depth - 1, table)}, {self._point(depth - 1, table)})",
            f"AREA({self._region(depth - 1, table)})",
            f"CONTAINS({self._region(depth - 1, table)}, {self._region(depth - 1, table)})",
            f"ivo_healpix_index(5, {one}, {other})",
        )

    def _text(self, depth: int, table: str) -> str:
        if depth <= 0 or self._random.random() < 0.3:
            return self._pick(f"{table}.name", "'a''b'", "'12'", "'N%'")
        one = self._text(depth - 1, table)
        return self._pick(
            f"({one} || {self._number(depth - 1, table)})",
            f"UPPER({one})",
            f"CAST({self._number(depth - 1, table)} AS VARCHAR(5))",
            f"CAST({table}.seen AS CHAR(10))",
            f"COALESCE({one}, {self._text(depth - 1, table)})",
        )

    def _point(self, depth: int, table: str) -> str:
        if depth <= 0:
            return f"POINT({table}.ra, {table}.dec)"
        return self._pick(
            f"POINT({table}.ra, {table}.dec)",
            f"POINT('ICRS', {self._number(depth - 1, table)}, {self._number(depth - 1, table)})",
            f"CENTROID({self._region(depth - 1, table)})",
        )

    def _region(self, depth: int, table: str) -> str:
        if depth <= 0:
            return self._pick(
                "CIRCLE(10, 20, 3)", "POLYGON(1, 2, 3, 4, 5, 9)", f"POINT({table}.ra, {table}.dec)"
            )
        size = f"{table}.{self._pick('mag', 'flag')}"
        return self._pick(
            self._point(depth, table),
            f"CIRCLE({self._point(depth - 1, table)}, {size})",
            f"BOX({self._point(depth - 1, table)}, {size}, 2)",
            f"POLYGON({table}.ra, {table}.dec, 3, 4, 5, {size})",
            "REGION('BOX ICRS 1 2 3 4')",
        )

    def _condition(self, depth: int, table: str) -> str:
        if depth <= 0:
            return self._pick(f"{table}.id > 3", f"{table}.known = 'true'", f"{table}.seen < '2026-12-01'")
        one, other = self._number(depth - 1, table), self._number(depth - 1, table)
        return self._pick(
            f"{one} {self._pick('=', '<', '>', '<=', '<>')} {other}",
            f"{one} NOT BETWEEN {other} AND 5",
            f"{one} IN ({other}, 2)",
            f"{self._text(depth - 1, table)} {self._pick('LIKE', 'NOT LIKE', 'ILIKE')} {self._text(depth - 1, table)}",
            f"NOT ({self._condition(depth - 1, table)})",
            f"({self._condition(depth - 1, table)} {self._pick('AND', 'OR')} {self._condition(depth - 1, table)})",
            f"{self._pick('0', '1')} = CONTAINS({self._region(depth - 1, table)}, {self._region(depth - 1, table)})",
            f"INTERSECTS({self._region(depth - 1, table)}, {self._region(depth - 1, table)}) = 1",
            f"DISTANCE({self._point(depth - 1, table)}, {self._point(depth - 1, table)}) < {one}",
            f"EXISTS (SELECT q.id FROM sky.targets AS q WHERE DISTANCE(q.ra, q.dec, {table}.ra, {table}.dec) < 0.01)",
        )
