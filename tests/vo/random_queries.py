"""Random queries on the sky of `tests.support.adql_sky`: well formed, and of types that mostly go together."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

NUMBERS = ("id", "ra", "dec", "mag", "pm", "flag", "double_mag")
ONE = (
    "ABS",
    "CEILING",
    "FLOOR",
    "ROUND",
    "SQRT",
    "LOG",
    "LOG10",
    "EXP",
    "SIN",
    "ACOS",
    "DEGREES",
    "TRUNCATE",
    "COT",
)


class Writer:
    """Writes values, conditions and queries, whose columns are those of ``sky.stars`` by an alias.

    Parameters
    ----------
    chance
        Decides everything.
    """

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._alias = "s"
        self._grouped = False

    def _one(self, *makers: Callable[[int], str], depth: int) -> str:
        return self._chance.choice(makers)(depth - 1)

    def _column(self, *names: str) -> str:
        column = f"{self._alias}.{self._chance.choice(names)}"
        return f"MAX({column})" if self._grouped else column

    def number(self, depth: int) -> str:
        """A number."""
        if depth <= 0:
            literals = ("0", "1", "7", "-3", "2.5", "1e-3", "NULL", "1234567.5", "0x1F")
            return self._chance.choice(
                (self._column(*NUMBERS), self._chance.choice(literals[:6] + literals[7:]))
            )
        return self._one(
            lambda d: f"({self.number(d)} {self._chance.choice('+-*/')} {self.number(d)})",
            lambda d: f"{self._chance.choice(ONE)}({self.number(d)})",
            lambda d: f"{self._chance.choice(('POWER', 'MOD', 'ATAN2'))}({self.number(d)}, {self.number(d)})",
            lambda d: f"COALESCE({self.number(d)}, NULL, {self.number(d)})",
            lambda d: f"CASE WHEN {self.condition(d)} THEN {self.number(d)} ELSE {self.number(d)} END",
            lambda d: (
                f"CAST({self.number(d)} AS {self._chance.choice(('BIGINT', 'REAL', 'DOUBLE PRECISION', 'SMALLINT'))})"
            ),
            lambda d: f"DISTANCE({self.point(d)}, {self.point(d)})",
            lambda d: f"{self._chance.choice(('CONTAINS', 'INTERSECTS'))}({self.shape(d)}, {self.shape(d)})",
            lambda d: f"{self._chance.choice(('COORD1', 'COORD2'))}({self.point(d)})",
            lambda d: f"ivo_hasword({self.text(d)}, {self.text(d)})",
            lambda d: f"-{self._column(*NUMBERS)}",
            lambda d: self.number(0),
            depth=depth,
        )

    def text(self, depth: int) -> str:
        """A text."""
        if depth <= 0:
            return self._chance.choice((self._column("name"), "'N1%'", "''", "'it''s'"))
        return self._one(
            lambda d: f"({self.text(d)} || {self.text(d)})",
            lambda d: f"({self.number(d)} || {self.text(d)})",
            lambda d: f"{self._chance.choice(('UPPER', 'LOWER'))}({self.text(d)})",
            lambda d: f"CAST({self.number(d)} AS VARCHAR)",
            lambda d: f"CAST({self.time(d)} AS CHAR(10))",
            lambda d: f"COALESCE({self.text(d)}, {self.text(d)})",
            lambda d: f"CASE {self.number(d)} WHEN {self.number(d)} THEN {self.text(d)} END",
            lambda d: self.text(0),
            depth=depth,
        )

    def time(self, depth: int) -> str:
        """A time."""
        literal = "CAST('2026-11-22T18:30:00' AS TIMESTAMP)"
        if depth <= 0:
            return self._chance.choice((self._column("seen"), literal))
        return f"COALESCE({self.time(depth - 1)}, {self.time(depth - 1)})"

    def point(self, depth: int) -> str:
        """A point."""
        if depth > 0 and self._chance.random() < 0.3:
            return f"CENTROID({self.shape(depth - 1)})"
        return f"POINT({self.number(depth - 1)}, {self.number(depth - 1)})"

    def shape(self, depth: int) -> str:
        """A geometry of any kind."""
        number = self.number
        return self._one(
            self.point,
            lambda d: f"CIRCLE({self.point(d)}, {self._column(*NUMBERS)})",
            lambda d: f"CIRCLE('ICRS', {number(d)}, {number(d)}, 2)",
            lambda d: f"BOX({number(d)}, {number(d)}, 1, 2)",
            lambda d: f"POLYGON(0, 0, {number(d)}, 1, 1, {number(d)})",
            lambda d: "REGION('CIRCLE ICRS 10 20 3')",
            depth=depth,
        )

    def condition(self, depth: int) -> str:
        """A condition."""
        comparison = self._chance.choice(("=", "<>", "<", ">="))
        negated = self._chance.choice(("", "NOT "))
        value = self._chance.choice((self.number, self.text, self.time))
        choices = [
            lambda d: f"{value(d)} {comparison} {value(d)}",
            lambda d: f"{value(d)} {negated}BETWEEN {value(d)} AND {value(d)}",
            lambda d: f"{value(d)} {negated}IN ({value(d)}, {value(d)})",
            lambda d: f"{self.text(d)} {negated}{self._chance.choice(('LIKE', 'ILIKE'))} {self.text(d)}",
            lambda d: f"{value(d)} IS {negated}NULL",
            lambda d: f"{self._column('seen')} {comparison} '2026-11-22'",
            lambda d: f"1 = CONTAINS({self.shape(d)}, {self.shape(d)})",
            lambda d: f"{self.point(d)} = {self.point(d)}",
            lambda d: f"DISTANCE({self.point(d)}, {self.point(d)}) {comparison} {self.number(d)}",
        ]
        if not self._grouped:
            choices.append(lambda d: f"{self._column('known')} = 'true'")
        if depth > 0:
            choices += [
                lambda d: f"({self.condition(d)} AND {self.condition(d)})",
                lambda d: f"({self.condition(d)} OR {self.condition(d)})",
                lambda d: f"NOT {self.condition(d)}",
            ]
        return self._one(*choices, depth=depth)

    def columns(self) -> str:
        """A select list of four columns: a number, a text, a time, a number."""
        return (
            f"{self.number(3)} AS a, {self.text(2)} AS b, {self.time(1)} AS c, "
            f"{self._chance.choice((self.number(1), 'NULL'))} AS d"
        )

    def select(self) -> str:
        """A SELECT with these columns."""
        tables = self._chance.choice(
            (
                "sky.stars AS s",
                "stars AS s, targets AS t",
                "stars AS s JOIN targets USING (id)",
                "stars AS s LEFT JOIN targets AS t ON DISTANCE(s.ra, s.dec, t.ra, t.dec) < t.reach",
                "targets AS t NATURAL JOIN stars AS s",
                "targets FULL JOIN stars AS s USING (id)",
                "(SELECT * FROM stars) AS s",
                "(SELECT s.*, s.ra AS more FROM stars AS s UNION SELECT s.*, NULL FROM stars AS s) AS s",
            )
        )
        where = f" WHERE {self.condition(2)}" if self._chance.random() < 0.7 else ""
        if self._chance.random() < 0.3:
            where += (" AND " if where else " WHERE ") + self._subquery()
        group = ""
        if self._chance.random() < 0.3:
            group = f" GROUP BY FLOOR({self._column(*NUMBERS)}), {self._column('flag')}"
            self._grouped = True
            group += f" HAVING {self.condition(1)}" if self._chance.random() < 0.5 else ""
        quantifier = self._chance.choice(("", "", "DISTINCT "))
        top = self._chance.choice(("", "TOP 3 ", "TOP 0 "))
        text = f"SELECT {quantifier}{top}{self.columns()} FROM {tables}{where}{group}"
        self._grouped = False
        return text

    def _subquery(self) -> str:
        inner = self._chance.choice(
            (
                "SELECT t2.id FROM targets AS t2 WHERE t2.ra > s.ra",
                "SELECT MAX(mag) FROM stars",
                "SELECT u.id FROM mine AS u",
            )
        )
        return self._chance.choice((f"EXISTS ({inner})", f"s.mag IN ({inner})", f"s.id NOT IN ({inner})"))

    def query(self) -> str:
        """A query."""
        text = self.select()
        while self._chance.random() < 0.3:
            operator = self._chance.choice(("UNION", "UNION ALL", "EXCEPT", "INTERSECT"))
            text = f"({text}) {operator} ({self.select()})"
        if self._chance.random() < 0.4:
            text = (
                f"WITH w AS ({text}) SELECT w.a, MAX(b) AS b, MAX(c) AS c, COUNT(*) AS d FROM w GROUP BY w.a"
            )
        if self._chance.random() < 0.5:
            text += " ORDER BY " + self._chance.choice(
                ("1", "a DESC, 2", "b", "d, c", "a, b, c DESC OFFSET 3")
            )
        return text
