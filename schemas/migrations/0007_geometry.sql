-- Geometry and arithmetic that ADQL asks for and PostgreSQL lacks. Every function is immutable.
--
-- Geometric values are double precision[] in DALI's order, in degrees, ICRS: a point has 2 numbers, a circle 3, a
-- polygon 2n with n >= 3. The kind of a value is told by their count.
-- Functions in SQL have bound bodies (BEGIN ATOMIC), and those in plpgsql call nothing but pg_catalog: from version 17
-- on, PostgreSQL builds indexes without our search path. Those that a query calls for every row are not STRICT,
-- because a strict function is inlined only where its whole body is; null in gives null out all the same.
-- Both back ends decide by these functions; an index only names the candidates.

CREATE EXTENSION IF NOT EXISTS cube;

-- Separation in degrees; null where one of both is no position (NaN, infinite). The half angle has the sine sqrt(h) and
-- the cosine sqrt(h'), h' being h towards the antipode: full precision from nothing to 180 degrees. Rounding may make
-- h or h' of -0; hence abs.
CREATE FUNCTION adql_distance(
    a1 double precision, d1 double precision, a2 double precision, d2 double precision
) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN abs(a1 - a2) + abs(d1 - d2) < 'Infinity' THEN 2 * degrees(atan2(
        sqrt(abs(power(sin(radians(d1 - d2) / 2), 2)
                 + cos(radians(d1)) * cos(radians(d2)) * power(sin(radians(a1 - a2) / 2), 2))),
        sqrt(abs(power(sin(radians(d1 + d2) / 2), 2)
                 + cos(radians(d1)) * cos(radians(d2)) * power(cos(radians(a1 - a2) / 2), 2))))) END;
END;

-- Where a position lies in the index of positions: its right ascension within 0 and 360, and its declination. The
-- built-in points are indexed several times as fast as cubes of unit vectors are. Null where there is no position.
CREATE FUNCTION adql_place(a double precision, d double precision)
RETURNS point LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN abs(a) < 'Infinity' AND abs(d) < 'Infinity' THEN point(a - 360 * floor(a / 360), d) END;
END;

-- How far a cone reaches in right ascension to either side, in degrees; 360 means all around. All reaches here are a
-- little too wide, for rounding: the index never misses a position.
CREATE FUNCTION adql_reach(d double precision, r double precision)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN abs(d) + r < 89.99
                THEN degrees(asin(sin(radians(greatest(r, 0))) / cos(radians(d)))) + 1e-7 ELSE 360 END;
END;

-- One box around a cone, for joins: all around the sky where the cone crosses right ascension 0.
CREATE FUNCTION adql_band(a double precision, d double precision, r double precision)
RETURNS box LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN a - 360 * floor(a / 360) BETWEEN adql_reach(d, r) AND 360 - adql_reach(d, r)
        THEN box(point(a - 360 * floor(a / 360) - adql_reach(d, r), d - r - 1e-7),
                 point(a - 360 * floor(a / 360) + adql_reach(d, r), d + r + 1e-7))
        ELSE box(point(0, d - r - 1e-7), point(360, d + r + 1e-7)) END;
END;

-- The same for a cone known beforehand, in two parts: the second one is null unless the cone crosses right ascension 0.
CREATE FUNCTION adql_near(a double precision, d double precision, r double precision)
RETURNS box LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT box(point(greatest(0, p.a - p.w), d - r - 1e-7), point(least(360, p.a + p.w), d + r + 1e-7))
    FROM (SELECT a - 360 * floor(a / 360) AS a, adql_reach(d, r) AS w) AS p
    WHERE p.a IS NOT NULL AND d IS NOT NULL AND r IS NOT NULL;
END;

CREATE FUNCTION adql_near_beyond(a double precision, d double precision, r double precision)
RETURNS box LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN p.w > 180 THEN NULL
                WHEN p.a < p.w THEN box(point(p.a - p.w + 360, d - r - 1e-7), point(360, d + r + 1e-7))
                WHEN p.a + p.w > 360 THEN box(point(0, d - r - 1e-7), point(p.a + p.w - 360, d + r + 1e-7)) END
    FROM (SELECT a - 360 * floor(a / 360) AS a, adql_reach(d, r) AS w) AS p;
END;

-- Box of unit vectors around a cone: regions are indexed by it.
CREATE FUNCTION adql_cone(a double precision, d double precision, r double precision)
RETURNS cube LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT cube_enlarge(
        cube(ARRAY[cos(radians(d)) * cos(radians(a)), cos(radians(d)) * sin(radians(a)), sin(radians(d))]),
        2 * sin(radians(least(greatest(r, 0), 180)) / 2) + 1e-12, 3);
END;

CREATE FUNCTION adql_point(a double precision, d double precision)
RETURNS double precision[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN a IS NOT NULL AND d IS NOT NULL THEN ARRAY[a, d] END;
END;

CREATE FUNCTION adql_circle(a double precision, d double precision, r double precision)
RETURNS double precision[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN a IS NOT NULL AND d IS NOT NULL AND r IS NOT NULL THEN ARRAY[a, d, r] END;
END;

CREATE FUNCTION adql_polygon(VARIADIC vertices double precision[])
RETURNS double precision[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN array_position(vertices, NULL) IS NULL THEN vertices END;
END;

-- ADQL 2.1, BOX: the sides are great circles, at right angles to the arms of a cross at the centre. About the centre
-- in the gnomonic projection that is a rectangle of 2 tan(w/2) by 2 tan(h/2). Null unless both are within 0 and 180.
CREATE FUNCTION adql_box(
    a double precision, d double precision, w double precision, h double precision
) RETURNS double precision[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    ca double precision := cos(radians(a));
    sa double precision := sin(radians(a));
    cd double precision := cos(radians(d));
    sd double precision := sin(radians(d));
    e double precision := tan(radians(w) / 2);
    n double precision := tan(radians(h) / 2);
    x double precision;
    y double precision;
    z double precision;
    side integer[];
    corners double precision[] := '{}';
BEGIN
    IF NOT (w > 0 AND w < 180 AND h > 0 AND h < 180) THEN
        RETURN NULL;
    END IF;
    -- East is to the left as seen from within: this order is counter-clockwise, as DALI asks.
    FOREACH side SLICE 1 IN ARRAY ARRAY[[1, 1], [1, -1], [-1, -1], [-1, 1]] LOOP
        x := cd * ca - side[1] * e * sa - side[2] * n * sd * ca;
        y := cd * sa + side[1] * e * ca - side[2] * n * sd * sa;
        z := sd + side[2] * n * cd;
        corners := corners || degrees(atan2(y, x)) + CASE WHEN y < 0 THEN 360 ELSE 0 END
                           || degrees(atan2(z, sqrt(x * x + y * y)));
    END LOOP;
    RETURN corners;
END $$;

-- A polygon made ready for tests: its sense (1 if it winds to the right hand around a line outwards, -1 to the
-- left as DALI has it, 0 without area), then the unit vectors of its vertices. The inside is the smaller side. Null if the value is no polygon.
-- Signed area: sum over a fan of triangles of 2 atan2(det, 1 + ab + bc + ca) (Eriksson 1990).
CREATE FUNCTION adql_polygon_vectors(polygon double precision[])
RETURNS double precision[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    n integer := cardinality(polygon) / 2;
    v double precision[] := ARRAY[0.0];
    area double precision := 0;
    ax double precision; ay double precision; az double precision;
    bx double precision; by_ double precision; bz double precision;
    cx double precision; cy double precision; cz double precision;
BEGIN
    IF n < 3 OR cardinality(polygon) % 2 = 1 OR array_position(polygon, NULL) IS NOT NULL
       OR array_position(polygon, 'NaN') IS NOT NULL THEN
        RETURN NULL;
    END IF;
    FOR i IN 1..n LOOP
        cx := cos(radians(polygon[2 * i])) * cos(radians(polygon[2 * i - 1]));
        cy := cos(radians(polygon[2 * i])) * sin(radians(polygon[2 * i - 1]));
        cz := sin(radians(polygon[2 * i]));
        v := v || ARRAY[cx, cy, cz];
        IF i = 1 THEN
            ax := cx; ay := cy; az := cz;
        ELSIF i > 2 THEN
            -- The differences keep the digits of small triangles.
            area := area + 2 * atan2(
                ax * ((by_ - ay) * (cz - az) - (bz - az) * (cy - ay))
                + ay * ((bz - az) * (cx - ax) - (bx - ax) * (cz - az))
                + az * ((bx - ax) * (cy - ay) - (by_ - ay) * (cx - ax)),
                1 + ax * bx + ay * by_ + az * bz + bx * cx + by_ * cy + bz * cz + cx * ax + cy * ay + cz * az);
        END IF;
        bx := cx; by_ := cy; bz := cz;
    END LOOP;
    area := area - 4 * pi() * round(area / (4 * pi()));
    v[1] := sign(area);
    RETURN v;
END $$;

-- Whether a position lies in a polygon made ready, its border included. Seen from the position, the polygon winds
-- around the line of sight in its own sense if the position is inside, and against it if the antipode is.
CREATE FUNCTION adql_in_polygon(a double precision, d double precision, v double precision[])
RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    known boolean := abs(a) < 'Infinity' AND abs(d) < 'Infinity';
    ca double precision := CASE WHEN known THEN cos(radians(a)) END;
    sa double precision := CASE WHEN known THEN sin(radians(a)) END;
    cd double precision := CASE WHEN known THEN cos(radians(d)) END;
    sd double precision := CASE WHEN known THEN sin(radians(d)) END;
    last integer := cardinality(v);
    x0 double precision := ca * v[last - 1] - sa * v[last - 2];
    y0 double precision := cd * v[last] - sd * (ca * v[last - 2] + sa * v[last - 1]);
    z0 double precision := sd * v[last] + cd * (ca * v[last - 2] + sa * v[last - 1]);
    x double precision; y double precision; z double precision; det double precision;
    winding integer := 0;
BEGIN
    IF NOT known THEN
        RETURN NULL;
    END IF;
    FOR k IN 2..(last - 2) BY 3 LOOP
        x := ca * v[k + 1] - sa * v[k];
        y := cd * v[k + 2] - sd * (ca * v[k] + sa * v[k + 1]);
        z := sd * v[k + 2] + cd * (ca * v[k] + sa * v[k + 1]);
        det := x0 * y - x * y0;
        -- On a vertex, or on an edge: within the rounding of the vectors.
        IF z > 0 AND x * x + y * y <= 1e-30 OR z0 + z > 0 AND x * x0 + y * y0 <= 0
           AND det * det <= 1e-30 * ((x - x0) * (x - x0) + (y - y0) * (y - y0)) THEN
            RETURN true;
        END IF;
        IF y0 <= 0 AND y > 0 AND det > 0 THEN
            winding := winding + 1;
        ELSIF y0 > 0 AND y <= 0 AND det < 0 THEN
            winding := winding - 1;
        END IF;
        x0 := x; y0 := y; z0 := z;
    END LOOP;
    RETURN winding * v[1] > 0;
END $$;

-- Least distance in degrees of a position from the edges of a polygon made ready.
CREATE FUNCTION adql_edge_distance(a double precision, d double precision, v double precision[])
RETURNS double precision LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    px double precision := cos(radians(d)) * cos(radians(a));
    py double precision := cos(radians(d)) * sin(radians(a));
    pz double precision := sin(radians(d));
    last integer := cardinality(v);
    ax double precision := v[last - 2]; ay double precision := v[last - 1]; az double precision := v[last];
    bx double precision; by_ double precision; bz double precision;
    nx double precision; ny double precision; nz double precision;
    n2 double precision; s double precision; least_ double precision := 'Infinity';
BEGIN
    FOR k IN 2..(last - 2) BY 3 LOOP
        bx := v[k]; by_ := v[k + 1]; bz := v[k + 2];
        -- The vertex: from half the chord, and half that of the antipode.
        least_ := least(least_, 2 * atan2(
            sqrt((px - bx) * (px - bx) + (py - by_) * (py - by_) + (pz - bz) * (pz - bz)),
            sqrt((px + bx) * (px + bx) + (py + by_) * (py + by_) + (pz + bz) * (pz + bz))));
        -- a x b, from the difference of the two: it keeps the digits of short edges.
        nx := ay * (bz - az) - az * (by_ - ay);
        ny := az * (bx - ax) - ax * (bz - az);
        nz := ax * (by_ - ay) - ay * (bx - ax);
        n2 := nx * nx + ny * ny + nz * nz;
        -- The foot of the perpendicular lies on the edge if p is on the inner side of both its ends.
        IF n2 > 0
           AND px * (ny * az - nz * ay) + py * (nz * ax - nx * az) + pz * (nx * ay - ny * ax) >= 0
           AND px * (by_ * nz - bz * ny) + py * (bz * nx - bx * nz) + pz * (bx * ny - by_ * nx) >= 0 THEN
            -- n.p by the difference p - a, which is orthogonal to nothing that matters: n.a is 0.
            s := nx * (px - ax) + ny * (py - ay) + nz * (pz - az);
            least_ := least(least_, atan2(abs(s), sqrt(abs(n2 - s * s))));
        END IF;
        ax := bx; ay := by_; az := bz;
    END LOOP;
    RETURN degrees(least_);
END $$;

-- Whether an edge of one polygon made ready crosses one of another. Touching, within rounding, is no crossing.
-- Two arcs ab and cd cross if c and d lie on either side of ab, a and b on either side of cd, and that not on opposite
-- sides of the sky.
CREATE FUNCTION adql_edges_cross(v double precision[], w double precision[])
RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    ax double precision := v[cardinality(v) - 2];
    ay double precision := v[cardinality(v) - 1];
    az double precision := v[cardinality(v)];
    bx double precision; by_ double precision; bz double precision;
    cx double precision; cy double precision; cz double precision;
    dx double precision; dy double precision; dz double precision;
    nx double precision; ny double precision; nz double precision; n double precision;
    mx double precision; my double precision; mz double precision; m double precision;
    c double precision; d double precision; a double precision; b double precision;
BEGIN
    FOR k IN 2..(cardinality(v) - 2) BY 3 LOOP
        bx := v[k]; by_ := v[k + 1]; bz := v[k + 2];
        nx := ay * (bz - az) - az * (by_ - ay);
        ny := az * (bx - ax) - ax * (bz - az);
        nz := ax * (by_ - ay) - ay * (bx - ax);
        n := 1e-15 * sqrt(nx * nx + ny * ny + nz * nz);
        cx := w[cardinality(w) - 2]; cy := w[cardinality(w) - 1]; cz := w[cardinality(w)];
        FOR j IN 2..(cardinality(w) - 2) BY 3 LOOP
            dx := w[j]; dy := w[j + 1]; dz := w[j + 2];
            c := nx * cx + ny * cy + nz * cz;
            d := nx * dx + ny * dy + nz * dz;
            IF c > n AND d < -n OR c < -n AND d > n THEN
                mx := cy * (dz - cz) - cz * (dy - cy);
                my := cz * (dx - cx) - cx * (dz - cz);
                mz := cx * (dy - cy) - cy * (dx - cx);
                m := 1e-15 * sqrt(mx * mx + my * my + mz * mz);
                a := mx * ax + my * ay + mz * az;
                b := mx * bx + my * by_ + mz * bz;
                IF c > 0 AND a < -m AND b > m OR c < 0 AND a > m AND b < -m THEN
                    RETURN true;
                END IF;
            END IF;
            cx := dx; cy := dy; cz := dz;
        END LOOP;
        ax := bx; ay := by_; az := bz;
    END LOOP;
    RETURN false;
END $$;

CREATE FUNCTION adql_vertices_within(polygon double precision[], v double precision[], every boolean)
RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN every THEN bool_and(adql_in_polygon(polygon[2 * i - 1], polygon[2 * i], v))
                ELSE bool_or(adql_in_polygon(polygon[2 * i - 1], polygon[2 * i], v)) END
    FROM generate_series(1, cardinality(polygon) / 2) AS i;
END;

-- Up to 90 degrees a circle is convex: it has a polygon if it has the vertices. Beyond, the polygon must keep clear
-- of the circle around the antipode that is left.
CREATE FUNCTION adql_polygon_in_circle(polygon double precision[], circle double precision[])
RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
        WHEN adql_polygon_vectors(polygon) IS NULL THEN NULL
        WHEN circle[3] >= 180 THEN true
        WHEN circle[3] <= 90 THEN (
            SELECT bool_and(adql_distance(polygon[2 * i - 1], polygon[2 * i], circle[1], circle[2]) <= circle[3])
            FROM generate_series(1, cardinality(polygon) / 2) AS i)
        ELSE NOT adql_in_polygon(circle[1] + 180, -circle[2], adql_polygon_vectors(polygon))
            AND adql_edge_distance(circle[1] + 180, -circle[2], adql_polygon_vectors(polygon)) >= 180 - circle[3]
    END;
END;

-- Whether the first region lies wholly in the second, borders included.
CREATE FUNCTION adql_contains(a double precision[], b double precision[])
RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE least(cardinality(b), 4)
        WHEN 2 THEN CASE cardinality(a)
            WHEN 2 THEN adql_distance(a[1], a[2], b[1], b[2]) = 0
            WHEN 3 THEN a[3] = 0 AND adql_distance(a[1], a[2], b[1], b[2]) = 0
            ELSE false END
        WHEN 3 THEN CASE cardinality(a)
            WHEN 2 THEN adql_distance(a[1], a[2], b[1], b[2]) <= b[3]
            WHEN 3 THEN b[3] >= 180 OR adql_distance(a[1], a[2], b[1], b[2]) + a[3] <= b[3]
            ELSE adql_polygon_in_circle(a, b) END
        ELSE CASE cardinality(a)
            WHEN 2 THEN adql_in_polygon(a[1], a[2], adql_polygon_vectors(b))
            WHEN 3 THEN adql_in_polygon(a[1], a[2], adql_polygon_vectors(b))
                AND adql_edge_distance(a[1], a[2], adql_polygon_vectors(b)) >= a[3]
            ELSE adql_vertices_within(a, adql_polygon_vectors(b), true)
                AND NOT adql_edges_cross(adql_polygon_vectors(a), adql_polygon_vectors(b)) END
    END;
END;

-- Whether two regions have a point in common.
CREATE FUNCTION adql_intersects(a double precision[], b double precision[])
RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
        WHEN cardinality(a) = 2 THEN adql_contains(a, b)
        WHEN cardinality(b) = 2 THEN adql_contains(b, a)
        WHEN cardinality(a) = 3 AND cardinality(b) = 3 THEN adql_distance(a[1], a[2], b[1], b[2]) <= a[3] + b[3]
        WHEN cardinality(a) = 3 THEN adql_in_polygon(a[1], a[2], adql_polygon_vectors(b))
            OR adql_edge_distance(a[1], a[2], adql_polygon_vectors(b)) <= a[3]
        WHEN cardinality(b) = 3 THEN adql_in_polygon(b[1], b[2], adql_polygon_vectors(a))
            OR adql_edge_distance(b[1], b[2], adql_polygon_vectors(a)) <= b[3]
        ELSE adql_vertices_within(a, adql_polygon_vectors(b), false)
            OR adql_vertices_within(b, adql_polygon_vectors(a), false)
            OR adql_edges_cross(adql_polygon_vectors(a), adql_polygon_vectors(b))
    END;
END;

-- Area and centroid of a polygon: square degrees, and a position. The centroid is the direction of the integral of
-- the unit vector over the inside, which is half the sum of arc length times unit normal over the edges. That sum
-- loses its digits in small polygons; there the flat centroids of the triangles serve.
CREATE FUNCTION adql_polygon_measure(polygon double precision[], OUT area double precision, OUT centroid double precision[])
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    n integer := cardinality(polygon) / 2;
    sx double precision := 0; sy double precision := 0; sz double precision := 0;
    fx double precision := 0; fy double precision := 0; fz double precision := 0;
    ox double precision; oy double precision; oz double precision;
    ax double precision; ay double precision; az double precision;
    bx double precision; by_ double precision; bz double precision;
    nx double precision; ny double precision; nz double precision;
    size double precision; part double precision; widest double precision := 0;
BEGIN
    IF n < 3 OR cardinality(polygon) % 2 = 1 OR array_position(polygon, NULL) IS NOT NULL
       OR array_position(polygon, 'NaN') IS NOT NULL THEN
        RETURN;
    END IF;
    area := 0;
    ox := cos(radians(polygon[2])) * cos(radians(polygon[1]));
    oy := cos(radians(polygon[2])) * sin(radians(polygon[1]));
    oz := sin(radians(polygon[2]));
    ax := ox; ay := oy; az := oz;
    FOR i IN 2..(n + 1) LOOP
        IF i <= n THEN
            bx := cos(radians(polygon[2 * i])) * cos(radians(polygon[2 * i - 1]));
            by_ := cos(radians(polygon[2 * i])) * sin(radians(polygon[2 * i - 1]));
            bz := sin(radians(polygon[2 * i]));
        ELSE
            bx := ox; by_ := oy; bz := oz;
        END IF;
        nx := ay * (bz - az) - az * (by_ - ay);
        ny := az * (bx - ax) - ax * (bz - az);
        nz := ax * (by_ - ay) - ay * (bx - ax);
        size := sqrt(nx * nx + ny * ny + nz * nz);
        IF size > 0 THEN
            part := atan2(size, ax * bx + ay * by_ + az * bz) / size / 2;
            sx := sx + part * nx; sy := sy + part * ny; sz := sz + part * nz;
        END IF;
        widest := greatest(widest, (bx - ox) * (bx - ox) + (by_ - oy) * (by_ - oy) + (bz - oz) * (bz - oz));
        part := 2 * atan2(
            ox * ((ay - oy) * (bz - oz) - (az - oz) * (by_ - oy))
            + oy * ((az - oz) * (bx - ox) - (ax - ox) * (bz - oz))
            + oz * ((ax - ox) * (by_ - oy) - (ay - oy) * (bx - ox)),
            1 + ox * ax + oy * ay + oz * az + ax * bx + ay * by_ + az * bz + bx * ox + by_ * oy + bz * oz);
        area := area + part;
        fx := fx + part * (ax + bx - 2 * ox) / 3;
        fy := fy + part * (ay + by_ - 2 * oy) / 3;
        fz := fz + part * (az + bz - 2 * oz) / 3;
        ax := bx; ay := by_; az := bz;
    END LOOP;
    area := area - 4 * pi() * round(area / (4 * pi()));
    IF widest < 3e-7 THEN
        IF area <> 0 THEN
            sx := ox + fx / area; sy := oy + fy / area; sz := oz + fz / area;
            centroid := ARRAY[degrees(atan2(sy, sx)), degrees(atan2(sz, sqrt(sx * sx + sy * sy)))];
        END IF;
    ELSIF sx <> 0 OR sy <> 0 OR sz <> 0 THEN
        centroid := ARRAY[degrees(atan2(sy * sign(area), sx * sign(area))),
                          degrees(atan2(sz * sign(area), sqrt(sx * sx + sy * sy)))];
    END IF;
    IF centroid[1] < 0 THEN
        centroid[1] := centroid[1] + 360;
    END IF;
    area := abs(area) * degrees(1) * degrees(1);
END $$;

CREATE FUNCTION adql_area(region double precision[])
RETURNS double precision LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE cardinality(region)
        WHEN 2 THEN 0
        WHEN 3 THEN 4 * pi() * power(sin(radians(least(greatest(region[3], 0), 180)) / 2), 2) * degrees(1) * degrees(1)
        ELSE (adql_polygon_measure(region)).area
    END;
END;

CREATE FUNCTION adql_centroid(region double precision[])
RETURNS double precision[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN cardinality(region) <= 3 THEN region[1:2] ELSE (adql_polygon_measure(region)).centroid END;
END;

-- A circle that has the whole region, for indexes: it need not be the least one.
CREATE FUNCTION adql_bounding_circle(region double precision[])
RETURNS double precision[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    n integer := cardinality(region) / 2;
    x double precision := 0; y double precision := 0; z double precision := 0;
    size double precision; chord double precision := 0; a double precision; d double precision;
BEGIN
    IF array_position(region, NULL) IS NOT NULL OR array_position(region, 'NaN') IS NOT NULL THEN
        RETURN NULL;
    ELSIF cardinality(region) = 2 THEN
        RETURN region || 0::double precision;
    ELSIF cardinality(region) = 3 THEN
        RETURN region;
    ELSIF n < 3 OR cardinality(region) % 2 = 1 THEN
        RETURN NULL;
    END IF;
    FOR i IN 1..n LOOP
        x := x + cos(radians(region[2 * i])) * cos(radians(region[2 * i - 1]));
        y := y + cos(radians(region[2 * i])) * sin(radians(region[2 * i - 1]));
        z := z + sin(radians(region[2 * i]));
    END LOOP;
    size := sqrt(x * x + y * y + z * z);
    IF size < 1e-6 * n THEN
        RETURN ARRAY[0.0, 0.0, 180.0];
    END IF;
    x := x / size; y := y / size; z := z / size;
    FOR i IN 1..n LOOP
        a := radians(region[2 * i - 1]); d := radians(region[2 * i]);
        chord := greatest(chord, power(x - cos(d) * cos(a), 2) + power(y - cos(d) * sin(a), 2) + power(z - sin(d), 2));
    END LOOP;
    -- Beyond a right angle a circle is not convex, and an edge may leave it.
    RETURN ARRAY[degrees(atan2(y, x)), degrees(atan2(z, sqrt(x * x + y * y))),
                 CASE WHEN chord < 1.99 THEN degrees(2 * asin(sqrt(chord) / 2)) + 1e-10 ELSE 180 END];
END $$;

-- Box of unit vectors around a region: what a column of regions is indexed by, and looked for with &&.
CREATE FUNCTION adql_bounds(region double precision[])
RETURNS cube LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT adql_cone(b.c[1], b.c[2], b.c[3]) FROM (SELECT adql_bounding_circle(region) AS c) AS b;
END;

-- A region kept as a text, in STC-S or as DALI has it: circles, positions, polygons and boxes. Null for what is none,
-- for compound regions, and for coordinates other than ICRS.
CREATE FUNCTION adql_region(region text)
RETURNS double precision[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    shape text := lower(coalesce(substring(region FROM '^\s*([A-Za-z]+)'), ''));
    -- Words such as FK5 and J2000.0 have digits of their own.
    bare text := regexp_replace(region, '\y[A-Za-z_][A-Za-z0-9_.]*', ' ', 'g');
    n double precision[];
BEGIN
    IF region ~* '\y(galactic|galactic_ii|galactic_i|supergalactic|ecliptic|fk4|b1950|union|intersection|not)\y'
       OR bare !~ '^[-+0-9.eE,\s]*$' OR length(region) > 20000 THEN
        RETURN NULL;
    END IF;
    SELECT array_agg(m[1]::double precision ORDER BY i) INTO n
    FROM regexp_matches(bare, '([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,2})?)', 'g') WITH ORDINALITY AS t(m, i);
    RETURN CASE
        WHEN shape IN ('position', 'point', '') AND cardinality(n) = 2 THEN n
        WHEN shape IN ('circle', '') AND cardinality(n) = 3 THEN n
        WHEN shape IN ('polygon', '') AND cardinality(n) >= 6 AND cardinality(n) % 2 = 0 THEN n
        WHEN shape = 'box' AND cardinality(n) = 4 THEN adql_box(n[1], n[2], n[3], n[4])
    END;
END $$;

-- HEALPix, nested scheme (Gorski et al. 2005): the pixel of a position, and the centre of a pixel.
CREATE FUNCTION adql_healpix_index(k integer, a double precision, d double precision)
RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    nside bigint;
    z double precision := sin(radians(d));
    za double precision := abs(z);
    tt double precision;
    part double precision;
    jp bigint; jm bigint; face bigint; ix bigint; iy bigint;
BEGIN
    IF k < 0 OR k > 29 OR NOT (abs(a) < 1e15 AND abs(d) <= 90) THEN
        RETURN NULL;
    END IF;
    nside := 1::bigint << k;
    tt := a / 90;
    tt := tt - 4 * floor(tt / 4);
    IF za <= 2.0::double precision / 3 THEN
        jp := floor(nside * (0.5 + tt) - nside * 0.75 * z);
        jm := floor(nside * (0.5 + tt) + nside * 0.75 * z);
        face := CASE WHEN jp >> k = jm >> k THEN ((jp >> k) & 3) + 4
                     WHEN jp >> k < jm >> k THEN jp >> k ELSE (jm >> k) + 8 END;
        ix := jm & (nside - 1);
        iy := nside - 1 - (jp & (nside - 1));
    ELSE
        face := least(3, floor(tt));
        tt := tt - face;
        -- sqrt(3 (1 - |z|)), by half the angle from the pole: it keeps its digits there.
        part := nside * sqrt(6::double precision) * abs(sin(radians(90 - abs(d)) / 2));
        jp := least(floor(tt * part), nside - 1);
        jm := least(floor((1 - tt) * part), nside - 1);
        IF z >= 0 THEN
            ix := nside - jm - 1; iy := nside - jp - 1;
        ELSE
            face := face + 8; ix := jp; iy := jm;
        END IF;
    END IF;
    -- The bits of x and y take turns.
    ix := (ix | (ix << 16)) & x'0000FFFF0000FFFF'::bigint;  iy := (iy | (iy << 16)) & x'0000FFFF0000FFFF'::bigint;
    ix := (ix | (ix << 8)) & x'00FF00FF00FF00FF'::bigint;   iy := (iy | (iy << 8)) & x'00FF00FF00FF00FF'::bigint;
    ix := (ix | (ix << 4)) & x'0F0F0F0F0F0F0F0F'::bigint;   iy := (iy | (iy << 4)) & x'0F0F0F0F0F0F0F0F'::bigint;
    ix := (ix | (ix << 2)) & x'3333333333333333'::bigint;   iy := (iy | (iy << 2)) & x'3333333333333333'::bigint;
    ix := (ix | (ix << 1)) & x'5555555555555555'::bigint;   iy := (iy | (iy << 1)) & x'5555555555555555'::bigint;
    RETURN (face << (2 * k)) | ix | (iy << 1);
END $$;

CREATE FUNCTION adql_healpix_center(k integer, pixel bigint)
RETURNS double precision[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    nside bigint;
    face integer;
    ix bigint; iy bigint; ring bigint; across bigint; side bigint;
    polar double precision;
    d double precision;
BEGIN
    IF k < 0 OR k > 29 OR pixel < 0 OR pixel >= 12::bigint << (2 * k) THEN
        RETURN NULL;
    END IF;
    nside := 1::bigint << k;
    face := pixel >> (2 * k);
    ix := pixel & (nside * nside - 1);
    iy := (ix >> 1) & x'5555555555555555'::bigint;         ix := ix & x'5555555555555555'::bigint;
    ix := (ix | (ix >> 1)) & x'3333333333333333'::bigint;    iy := (iy | (iy >> 1)) & x'3333333333333333'::bigint;
    ix := (ix | (ix >> 2)) & x'0F0F0F0F0F0F0F0F'::bigint;    iy := (iy | (iy >> 2)) & x'0F0F0F0F0F0F0F0F'::bigint;
    ix := (ix | (ix >> 4)) & x'00FF00FF00FF00FF'::bigint;    iy := (iy | (iy >> 4)) & x'00FF00FF00FF00FF'::bigint;
    ix := (ix | (ix >> 8)) & x'0000FFFF0000FFFF'::bigint;    iy := (iy | (iy >> 8)) & x'0000FFFF0000FFFF'::bigint;
    ix := (ix | (ix >> 16)) & x'00000000FFFFFFFF'::bigint;   iy := (iy | (iy >> 16)) & x'00000000FFFFFFFF'::bigint;
    -- Rings are counted from the north pole; a base pixel begins two, three or four quarters down.
    ring := (2 + face / 4) * nside - ix - iy - 1;
    across := CASE WHEN face / 4 = 1 THEN 2 * (face % 4) ELSE 2 * (face % 4) + 1 END;
    side := least(ring, nside, 4 * nside - ring);
    IF side < nside THEN
        -- 1 - |z| = side^2 / (3 nside^2), by half the angle from the pole.
        polar := 2 * asin(side::double precision / nside / sqrt(6::double precision));
        d := (90 - degrees(polar)) * CASE WHEN ring < 2 * nside THEN 1 ELSE -1 END;
    ELSE
        d := degrees(asin((2 * nside - ring)::double precision * 2 / (3 * nside)));
    END IF;
    polar := 45 * (across * side + ix - iy)::double precision / side;
    RETURN ARRAY[polar + CASE WHEN polar < 0 THEN 360 ELSE 0 END, d];
END $$;

-- Arithmetic. A value outside a function's domain gives null: an error would end a stream of rows half way.
CREATE FUNCTION adql_sqrt(x double precision)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC SELECT CASE WHEN x >= 0 THEN sqrt(x) END; END;

CREATE FUNCTION adql_ln(x double precision)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC SELECT CASE WHEN x > 0 THEN ln(x) END; END;

CREATE FUNCTION adql_log10(x double precision)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC SELECT CASE WHEN x > 0 THEN log(x) END; END;

CREATE FUNCTION adql_asin(x double precision)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC SELECT CASE WHEN x BETWEEN -1 AND 1 THEN asin(x) END; END;

CREATE FUNCTION adql_acos(x double precision)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC SELECT CASE WHEN x BETWEEN -1 AND 1 THEN acos(x) END; END;

-- Beyond these limits the result is no finite double precision number, or 0.
CREATE FUNCTION adql_exp(x double precision)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC SELECT CASE WHEN x < -708 THEN 0 WHEN x < 709.78 THEN exp(x) END; END;

CREATE FUNCTION adql_power(x double precision, y double precision)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
        WHEN y = 0 THEN 1
        WHEN x = 0 THEN CASE WHEN y > 0 THEN 0 END
        WHEN x < 0 AND y <> floor(y) THEN NULL
        WHEN y * ln(abs(nullif(x, 0))) < -708 THEN 0
        WHEN y * ln(abs(nullif(x, 0))) < 709.78 THEN power(x, y)
    END;
END;

CREATE FUNCTION adql_mod(x double precision, y double precision)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC SELECT x - y * trunc(x / nullif(y, 0)); END;

-- To n places. A double precision number has no more than 15 sure ones: beyond them it stays as it is.
CREATE FUNCTION adql_round(x double precision, n integer)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN n > 300 OR abs(x) * power(10::double precision, greatest(least(n, 300), -300)) >= 1e15 THEN x
                WHEN n < -300 THEN 0 * x
                ELSE round(x::numeric, n)::double precision END;
END;

CREATE FUNCTION adql_truncate(x double precision, n integer)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN n > 300 OR abs(x) * power(10::double precision, greatest(least(n, 300), -300)) >= 1e15 THEN x
                WHEN n < -300 THEN 0 * x
                ELSE trunc(x::numeric, n)::double precision END;
END;

-- A number, if it is not too large to become an integer of a kind; NaN is.
CREATE FUNCTION adql_fit(x double precision, most double precision)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC SELECT CASE WHEN abs(x) <= most THEN x END; END;

CREATE FUNCTION adql_fit(x bigint, most bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC SELECT CASE WHEN x BETWEEN - most AND most THEN x END; END;

CREATE FUNCTION adql_real(x double precision)
RETURNS real LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC SELECT CASE WHEN abs(x) < 1.2e-38 THEN 0 WHEN abs(x) <= 3.4e38 THEN x::real END; END;

-- A text as a number; null if it is none.
CREATE FUNCTION adql_whole(x text)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC SELECT CASE WHEN x ~ '^\s*[-+]?\d{1,18}\s*$' THEN x::bigint END; END;

CREATE FUNCTION adql_number(x text)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN x ~ '^\s*[-+]?(\d{1,250}\.?\d*|\.\d+)([eE][-+]?\d{1,2})?\s*$' THEN x::double precision END;
END;

-- Modified Julian date of a time without zone, which is UTC here.
CREATE FUNCTION adql_mjd(t timestamp without time zone)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT (date_trunc('day', t)::date - date '1858-11-17')
        + extract(epoch FROM (t - date_trunc('day', t)))::double precision / 86400;
END;

-- Whether a text holds a word, whatever its case; and whether one of the items parted by # is another text.
CREATE FUNCTION adql_hasword(haystack text, needle text)
RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT (to_tsvector('pg_catalog.simple', haystack) @@ phraseto_tsquery('pg_catalog.simple', needle))::integer;
END;

CREATE FUNCTION adql_hashlist_has(hashlist text, item text)
RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT (lower(item) = ANY (string_to_array(lower(hashlist), '#')))::integer;
END;
