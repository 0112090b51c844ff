-- What the back end pgSphere adds to 0007_geometry.sql. May be run again.

-- Where a position lies in the index of positions. Null where there is no position.
CREATE OR REPLACE FUNCTION adql_spoint(a double precision, d double precision)
RETURNS spoint LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN abs(a) < 'Infinity' AND abs(d) < 'Infinity' THEN spoint(radians(a), radians(d)) END;
END;

-- A circle around a cone, 0.02 arcsec wider: pgSphere finds small distances by the arc cosine, and takes what differs
-- by less than 1e-9 for the same. It knows no circles beyond 90 degrees; the rest of a larger cone lies within
-- 90 degrees of the antipode.
CREATE OR REPLACE FUNCTION adql_cap(a double precision, d double precision, r double precision)
RETURNS scircle LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT scircle(adql_spoint(a, d), least(radians(greatest(r, 0)) + 1e-7, pi() / 2));
END;

CREATE OR REPLACE FUNCTION adql_cap_beyond(a double precision, d double precision, r double precision)
RETURNS scircle LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN radians(r) + 1e-7 > pi() / 2 THEN scircle(adql_spoint(a + 180, -d), pi() / 2) END;
END;
