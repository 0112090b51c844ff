-- The archive: the frame index as people query it.

ALTER TABLE frame ADD COLUMN instrument text GENERATED ALWAYS AS (coalesce(document ->> 'instrument', '')) STORED;

-- Every question to the archive is answered from this index alone, in the order of the nights or along it: documents
-- and headers make the rows of the table ten times as wide. What is compared, shown or decides who sees it is in it.
-- Ingest bounds every text in it.
CREATE INDEX frame_archive ON frame (night, run, arm, frame_id) INCLUDE (
    owner, public_on, field, object_name, frame_class, instrument, grating, plate, exposed, utmjd, ra, dec, name, airmass
);
DROP INDEX frame_night;                              -- it began in the same way

-- Cones: a box on the sky, then the distance. Pointings of what calibrates the detectors are nobody's business.
CREATE INDEX frame_sky ON frame USING gist (point(ra, dec)) WHERE owner <> '*';

-- A frame that is new changes whose its products are only where products were there before it (a rebuilt database).
-- Asked once for all frames of a statement, and nothing is updated when there are none.
DROP TRIGGER frame_access_new ON frame;
CREATE FUNCTION frame_access_pass_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM product_frame l JOIN added USING (frame_id)) THEN
        PERFORM product_access_refresh(ARRAY(SELECT DISTINCT product_id FROM product_frame JOIN added USING (frame_id)));
    END IF;
    IF EXISTS (SELECT FROM reduction_frame l JOIN added USING (frame_id)) THEN
        PERFORM reduction_access_refresh(ARRAY(SELECT DISTINCT job_key FROM reduction_frame JOIN added USING (frame_id)));
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER frame_access_new AFTER INSERT ON frame
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION frame_access_pass_new();

-- The same rule in words that let the planner see that nobody's links are asked: then members of small groups have
-- their frames found by owner and date, and not by reading everybody's.
CREATE OR REPLACE FUNCTION may_see_frame(owner text, public_on date, field text,
                                         everything boolean, groups text[], grants text[], today date)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT everything OR public_on <= today OR owner = ANY(groups)
        OR (cardinality(grants) > 0 AND owner || chr(31) || field = ANY(grants))
$$;
