-- Tables of our own for the Virtual Observatory: what they need beside what is there, and the views that they are.
-- Which columns they have, and what each means: paws/vo/declared. Views of what belongs to somebody end in what the
-- rule of who may see it needs (paws/access/predicate.py); those columns are declared nowhere, so nobody reads them.

CREATE SCHEMA IF NOT EXISTS vo;

-- ---- Wavelengths --------------------------------------------------------------------------------------------

-- Vacuum wavelength (Angstrom) of a wavelength in standard air: Ciddor 1996 (Appl. Opt. 35, 1566), equation 1, which
-- gives the refraction for vacuum wavelengths, hence solved by repetition. The same in Python: paws/vo/wavelengths.py.
-- In plpgsql, which calls nothing but pg_catalog: a body in SQL would be copied into itself 64 times.
CREATE FUNCTION vo.vacuum(air double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    vacuum double precision := air;
    square double precision;                         -- of the wave number, 1 / micrometre^2
BEGIN
    IF air BETWEEN 2300 AND 30000 THEN
        FOR i IN 1 .. 3 LOOP
            square := (1e4 / vacuum) * (1e4 / vacuum);
            vacuum := air * (1 + 0.05792105 / (238.0185 - square) + 0.00167917 / (57.362 - square));
        END LOOP;
    END IF;
    RETURN vacuum;
END;
$$;

-- A number in a document of figures; engines write what they like there.
CREATE FUNCTION vo.figure(figures jsonb, name text) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(figures -> name) = 'number' AND abs((figures -> name)::numeric) < 1e300
    THEN (figures -> name)::double precision END;

-- ---- Regions ------------------------------------------------------------------------------------------------

-- A region as a text (STC-S), for columns that a standard wants so: ObsCore's s_region, of type adql:REGION. Within a
-- query ours are geometries like any other, and become texts where they leave it. Those of other tables may be kept as
-- texts: what makes a geometry of one, or a text of one, leaves alone what is so already.
CREATE FUNCTION adql_stcs(region double precision[]) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE cardinality(region) WHEN 2 THEN 'Position' WHEN 3 THEN 'Circle' ELSE 'Polygon' END
    || ' ICRS ' || array_to_string(region, ' ');
CREATE FUNCTION adql_stcs(region text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN region;
CREATE FUNCTION adql_region(region double precision[]) RETURNS double precision[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN region;

-- What a fibre sees of the sky: a circle of 2.1 arcsec.
CREATE FUNCTION vo.fibre_region(ra double precision, "dec" double precision) RETURNS double precision[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN ra IS NOT NULL AND "dec" IS NOT NULL THEN ARRAY[ra, "dec", 1.05::double precision / 3600] END;

-- ---- Identifiers --------------------------------------------------------------------------------------------

-- Whose identifiers our spectra bear, and who made them: PAWS_VO_*, as `paws migrate` last found it.
CREATE TABLE vo_identity (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    authority   text NOT NULL DEFAULT 'paws.local',
    collection  text NOT NULL DEFAULT '2dF-AAOmega live',
    publisher   text NOT NULL DEFAULT 'an installation of PAWS Live',
    creator     text NOT NULL DEFAULT '2dF observers'
);
INSERT INTO vo_identity DEFAULT VALUES;

-- As paws/vo/identifiers.py makes them.
ALTER TABLE spectrum ADD COLUMN publisher_did text;

CREATE FUNCTION spectrum_identify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT 'ivo://' || authority || '/spectra?' || NEW.product_id || '/' || NEW.fibre INTO NEW.publisher_did
    FROM vo_identity;
    RETURN NEW;
END;
$$;
CREATE TRIGGER spectrum_identity BEFORE INSERT OR UPDATE OF publisher_did ON spectrum
    FOR EACH ROW EXECUTE FUNCTION spectrum_identify();
UPDATE spectrum SET publisher_did = '';

CREATE FUNCTION vo_identity_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE spectrum SET publisher_did = '';
    RETURN NULL;
END;
$$;
CREATE TRIGGER vo_identity_changed AFTER UPDATE ON vo_identity FOR EACH ROW
    WHEN (OLD.authority IS DISTINCT FROM NEW.authority) EXECUTE FUNCTION vo_identity_changed();

-- ---- What is asked for --------------------------------------------------------------------------------------

-- Metres in vacuum.
ALTER TABLE spectrum
    ADD COLUMN em_min double precision GENERATED ALWAYS AS (vo.vacuum(wavelength_min) * 1e-10) STORED,
    ADD COLUMN em_max double precision GENERATED ALWAYS AS (vo.vacuum(wavelength_max) * 1e-10) STORED;

-- Positions have an index of the geometry in use: paws.vo.geometry makes it. Identifiers are compared as a whole only,
-- and long: a hash takes a third of the room.
CREATE INDEX spectrum_publisher_did ON spectrum USING hash (publisher_did);
CREATE INDEX spectrum_region ON spectrum USING gist (adql_bounds(vo.fibre_region(ra, "dec")));
CREATE INDEX spectrum_em ON spectrum (em_min, em_max);
CREATE INDEX spectrum_time ON spectrum (mjd_start);
CREATE INDEX frame_time ON frame (utmjd);

-- The fibres of a field as they were configured, once for all products that have the same.
CREATE TABLE fibre_table (
    fibre_table_id  text PRIMARY KEY,                  -- derived from what is in it
    night           text NOT NULL,
    field           text NOT NULL,
    plate           smallint
);
CREATE TABLE fibre (
    fibre_table_id  text NOT NULL REFERENCES fibre_table ON DELETE CASCADE,
    fibre           smallint NOT NULL,                 -- slit position, from 1
    pivot           smallint,
    fibre_type      text NOT NULL,
    target_name     text NOT NULL,
    ra              double precision,                  -- degrees
    dec             double precision,
    x               integer,                           -- on the plate, micrometre
    y               integer,
    theta           double precision,                  -- degrees
    magnitude       real,
    programme       integer,
    retractor       text NOT NULL,
    pm_ra           real,                              -- arcsec / year
    pm_dec          real,
    comment         text NOT NULL,
    PRIMARY KEY (fibre_table_id, fibre)
);

-- What the spectra of a product have in common. Written with them; absent where an older version wrote them.
CREATE TABLE product_spectra (
    product_id      text PRIMARY KEY REFERENCES product ON DELETE CASCADE,
    checksum        text NOT NULL DEFAULT '',          -- of the file that they were read from
    flux_unit       text NOT NULL DEFAULT '',
    exposures       smallint NOT NULL,                 -- that went in; both arms of one count once
    fibre_table_id  text REFERENCES fibre_table,
    taken_in_at     timestamptz NOT NULL DEFAULT now() -- since when they are in the tables of the Virtual Observatory
);
CREATE INDEX product_spectra_fibres ON product_spectra (fibre_table_id);

-- ---- Views --------------------------------------------------------------------------------------------------

-- Every spectrum of a current product. A version that is superseded, and the products of junked frames, are not
-- current any more from the moment on at which they cease to be: there is no second writer that could be late.
CREATE VIEW vo.spectra AS
SELECT
    s.publisher_did AS obs_publisher_did, p.product_id, s.fibre, s.pivot, s.target_name, s.fibre_type, s.ra, s.dec,
    s.magnitude, p.night, p.field, p.plate, p.run, p.arm, p.kind, p.grating,
    s.wavelength_min, s.wavelength_max, s.wavelength_step, s.em_min, s.em_max, s.resolving_power,
    s.signal_to_noise, s.flux, nullif(d.flux_unit, '') AS flux_unit, s.exposed, d.exposures, s.mjd_start, s.mjd_end,
    p.level AS match_level, p.provisional::integer::smallint AS provisional, p.version,
    p.created_at AT TIME ZONE 'UTC' AS created_at,
    p.owners, p.public_on
FROM spectrum s
JOIN product p USING (product_id)
LEFT JOIN product_spectra d USING (product_id)
WHERE p.current;

CREATE VIEW vo.obscore AS
SELECT
    'spectrum'::text AS dataproduct_type,
    p.kind AS dataproduct_subtype,
    CASE WHEN p.kind IN ('combined', 'spliced_combined') THEN 3 ELSE 2 END AS calib_level,
    (SELECT collection FROM vo_identity) AS obs_collection,
    concat_ws('-', p.night, nullif(p.field, ''), 'p' || p.plate, lpad(p.run::text, 4, '0'), 'f' || s.fibre) AS obs_id,
    s.publisher_did AS obs_publisher_did,
    concat_ws(' ', s.target_name, p.night, nullif(p.field, ''), p.arm, nullif(p.grating, '')) AS obs_title,
    p.created_at AT TIME ZONE 'UTC' AS obs_creation_date,
    (SELECT creator FROM vo_identity) AS obs_creator_name,
    CASE WHEN p.public_on < 'infinity' THEN p.public_on::timestamp END AS obs_release_date,
    CASE WHEN p.public_on <= (now() AT TIME ZONE 'UTC')::date THEN 'public' ELSE 'proprietary' END AS data_rights,
    array_to_string(array_remove(array_remove(p.owners, '*'), ''), ' ') AS proposal_id,
    coalesce(current_setting('paws.base_url', true), '') || '/datalink/links?ID=ivo%3A%2F%2F'
        || (SELECT authority FROM vo_identity) || '%2Fspectra%3F' || s.product_id || '%2F' || s.fibre AS access_url,
    'application/x-votable+xml;content=datalink'::text AS access_format,
    -- A table of wavelength, flux, error and sky, and three headers.
    9 + (20 * (1 + round((s.wavelength_max - s.wavelength_min) / nullif(s.wavelength_step, 0)))::bigint) / 1000 AS access_estsize,
    s.target_name,
    CASE s.fibre_type WHEN 'S' THEN 'sky' END AS target_class,
    s.ra AS s_ra,
    s.dec AS s_dec,
    2.1::double precision / 3600 AS s_fov,
    vo.fibre_region(s.ra, s.dec) AS s_region,
    2.1::double precision AS s_resolution,
    1::bigint AS s_xel1,
    1::bigint AS s_xel2,
    s.mjd_start AS t_min,
    s.mjd_end AS t_max,
    s.exposed::double precision AS t_exptime,
    s.exposed::double precision AS t_resolution,
    1::bigint AS t_xel,
    s.em_min,
    s.em_max,
    s.resolving_power::double precision AS em_res_power,
    1 + round((s.wavelength_max - s.wavelength_min) / nullif(s.wavelength_step, 0))::bigint AS em_xel,
    'em.wl'::text AS em_ucd,
    'calibrated'::text AS em_calib_status,
    CASE WHEN d.flux_unit ~* '^(electron|e-|adu|count|ct)' OR coalesce(d.flux_unit, '') = '' THEN 'phot.count'
         ELSE 'phot.flux.density;em.wl' END AS o_ucd,
    nullif(d.flux_unit, '') AS o_unit,
    -- ObsCore has no word for counts, which are what they are: uncalibrated.
    CASE WHEN d.flux_unit ~* '^(electron|e-|adu|count|ct)' OR coalesce(d.flux_unit, '') = '' THEN NULL
         ELSE 'absolute' END AS o_calib_status,
    NULL::text AS pol_states,
    0::bigint AS pol_xel,
    'AAT'::text AS facility_name,
    'AAOmega'::text AS instrument_name,
    s.signal_to_noise, s.magnitude, s.fibre, s.pivot, s.fibre_type, p.night, p.field, p.plate, p.run, p.arm, p.grating,
    p.level AS match_level, p.provisional::integer::smallint AS provisional, p.version, d.exposures, p.product_id,
    p.owners, p.public_on
FROM spectrum s
JOIN product p USING (product_id)
LEFT JOIN product_spectra d USING (product_id)
WHERE p.current;

-- The same as the Simple Spectral Access protocol asks for it.
CREATE VIEW vo.ssap AS
SELECT
    o.access_url AS accref, o.access_format AS mime, o.access_estsize AS accsize,
    o.obs_title AS ssa_dstitle, o.obs_publisher_did AS ssa_pubdid, o.obs_creation_date AS ssa_cdate,
    o.obs_release_date AS ssa_pdate, concat_ws(' ', o.arm, nullif(o.grating, '')) AS ssa_bandpass,
    o.version::text AS ssa_cversion, o.target_name AS ssa_targname, o.target_class AS ssa_targclass,
    o.signal_to_noise::double precision AS ssa_snr,
    CASE WHEN o.s_region IS NOT NULL THEN ARRAY[o.s_ra, o.s_dec] END AS ssa_location,
    o.s_region AS ssa_region, o.s_fov AS ssa_aperture,
    (o.t_min + o.t_max) / 2 AS ssa_dateobs, o.t_exptime AS ssa_timeext, o.t_min AS ssa_timestart, o.t_max AS ssa_timestop,
    (o.em_min + o.em_max) / 2 AS ssa_specmid, o.em_max - o.em_min AS ssa_specext, o.em_min AS ssa_specstart,
    o.em_max AS ssa_specend, o.em_res_power AS ssa_specrp, (o.em_min + o.em_max) / 2 / nullif(o.em_res_power, 0) AS ssa_specres,
    o.em_xel AS ssa_length, 'Spectrum'::text AS ssa_dstype, 'Spectrum-1.1'::text AS ssa_model,
    (SELECT publisher FROM vo_identity) AS ssa_publisher, o.obs_creator_name AS ssa_creator,
    o.obs_collection AS ssa_collection, o.facility_name AS ssa_facility, o.instrument_name AS ssa_instrument,
    'pointed'::text AS ssa_datasource, 'archival'::text AS ssa_creationtype,
    o.o_ucd AS ssa_fluxucd, o.o_unit AS ssa_fluxunit, upper(coalesce(o.o_calib_status, 'uncalibrated')) AS ssa_fluxcalib,
    'em.wl'::text AS ssa_spectralucd, 'Angstrom'::text AS ssa_spectralunit, 'CALIBRATED'::text AS ssa_speccalib,
    o.data_rights AS ssa_rights, o.proposal_id AS ssa_proposal,
    o.s_ra AS ra, o.s_dec AS dec, o.product_id, o.fibre, o.arm, o.night, o.dataproduct_subtype, o.calib_level,
    o.owners, o.public_on, o.field
FROM vo.obscore o;

-- Every version of every product of the nights' plans. What somebody asked for with parameters of their own is theirs.
CREATE VIEW vo.products AS
SELECT
    p.product_id, p.kind, p.night, p.arm, p.field, p.plate, p.grating, p.run, p.version, p.level AS match_level,
    p.current::integer::smallint AS is_current, p.provisional::integer::smallint AS provisional,
    r.engine, r.engine_version, d.exposures, p.checksum, p.size_bytes,
    vo.figure(p.quality, 'signal_to_noise') AS signal_to_noise,
    vo.figure(p.quality, 'sky_residual') AS sky_residual,
    vo.figure(p.quality, 'sky_residual_noise') AS sky_residual_noise,
    vo.figure(p.quality, 'saturated_fraction') AS saturated_fraction,
    vo.figure(p.quality, 'profile_fwhm') AS profile_fwhm,
    vo.figure(p.quality, 'arc_rms_pixels') AS arc_rms,
    vo.figure(p.quality, 'wavelength_drift') AS wavelength_drift,
    vo.figure(p.quality, 'throughput_scatter') AS throughput_scatter,
    vo.figure(p.quality, 'finite_fraction') AS finite_fraction,
    p.created_at AT TIME ZONE 'UTC' AS created_at, p.superseded_at AT TIME ZONE 'UTC' AS superseded_at,
    d.taken_in_at AT TIME ZONE 'UTC' AS taken_in_at,
    p.owners, p.public_on
FROM product p
JOIN reduction r USING (job_key)
LEFT JOIN product_spectra d USING (product_id)
WHERE NOT starts_with(p.slot, 'own/');

CREATE VIEW vo.frames AS
SELECT
    f.frame_id, f.night, f.name, f.run, f.arm, f.frame_class, f.object_name, f.field, f.configuration, f.plate,
    f.instrument, f.grating, nullif(f.central_wavelength, 0) AS central_wavelength, f.proposal, f.exposed,
    f.utmjd AS mjd_start, f.utmjd + f.exposed / 86400 AS mjd_end, f.ra, f.dec,
    CASE WHEN f.ra IS NOT NULL AND f.dec IS NOT NULL AND f.field <> '' THEN ARRAY[f.ra, f.dec, 1.0::double precision]
        END AS s_region,
    f.airmass,
    vo.figure(f.document -> 'exposure', 'median') AS level_median,
    vo.figure(f.document -> 'exposure', 'bright') AS level_bright,
    vo.figure(f.document -> 'exposure', 'saturated_fraction') AS saturated_fraction,
    f.junked::integer::smallint AS is_junked,
    CASE
        WHEN f.junked THEN 'junked'
        WHEN p.state IS NULL THEN 'arrived'
        WHEN p.state <> 'planned' THEN p.state
        WHEN r.state IS NULL THEN 'queued'
        WHEN r.state = 'succeeded' THEN 'reduced'
        WHEN r.state IN ('queued', 'retrying') THEN 'queued'
        WHEN r.state = 'running' THEN 'running'
        ELSE 'failed'
    END AS state,
    p.level AS match_level, f.checksum, f.size_bytes, f.arrived_at AT TIME ZONE 'UTC' AS arrived_at,
    f.owner, f.public_on
FROM frame f
LEFT JOIN frame_plan p USING (frame_id)
LEFT JOIN reduction r ON r.job_key = p.job_key;

CREATE VIEW vo.observing_log AS
SELECT
    l.frame_id, l.night, l.run, l.arm, l.ut_start AT TIME ZONE 'UTC' AS ut_start, l.frame_class, l.object_name,
    l.field, l.plate, l.grating, nullif(l.central_wavelength, 0) AS central_wavelength, l.exposed, l.airmass, l.proposal,
    l.level AS match_level, l.signal_to_noise, l.result,
    f.owner, f.public_on
FROM observing_log l
JOIN frame f USING (frame_id);

-- Fibres as configured. Which of them somebody sees follows from the products that they made: vo.fibre_products.
CREATE VIEW vo.fibres AS
SELECT
    f.fibre_table_id, f.fibre, t.night, t.field, t.plate, f.pivot, f.fibre_type, f.target_name, f.ra, f.dec,
    f.x, f.y, f.theta, f.magnitude, f.programme, f.retractor, f.pm_ra, f.pm_dec, f.comment
FROM fibre f
JOIN fibre_table t USING (fibre_table_id);

CREATE VIEW vo.fibre_products AS
SELECT d.fibre_table_id, p.product_id, p.owners, p.public_on, p.field
FROM product_spectra d
JOIN product p USING (product_id)
WHERE p.current AND d.fibre_table_id IS NOT NULL;
