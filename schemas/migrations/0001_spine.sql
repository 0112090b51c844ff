-- The spine: frames, plans, reductions, products, the observing log, the outbox and the status feed.
-- Raw files are the truth: every row here can be made again by scanning them.

CREATE TABLE frame (
    frame_id            text PRIMARY KEY,
    night               text NOT NULL CHECK (night ~ '^\d{8}$'),
    name                text NOT NULL,
    path                text NOT NULL,
    checksum            text NOT NULL,
    size_bytes          bigint NOT NULL,
    mtime_ns            bigint NOT NULL DEFAULT 0,   -- of the file when it was read: a rescan reads only what differs
    source              text NOT NULL DEFAULT 'live' CHECK (source IN ('live', 'backfill')),
    arm                 text NOT NULL,
    run                 integer NOT NULL,
    frame_class         text NOT NULL,
    object_name         text NOT NULL DEFAULT '',
    field               text NOT NULL DEFAULT '',
    configuration       text NOT NULL DEFAULT '',
    plate               smallint,
    grating             text NOT NULL DEFAULT '',
    central_wavelength  integer NOT NULL DEFAULT 0,
    proposal            text NOT NULL DEFAULT '',
    exposed             real NOT NULL,
    utmjd               double precision NOT NULL,
    ra                  double precision,
    dec                 double precision,
    airmass             real,
    document            jsonb NOT NULL,              -- schemas.frames.Frame
    header              jsonb NOT NULL DEFAULT '{}', -- primary header cards, as strings and numbers
    completed_at        timestamptz NOT NULL,
    arrived_at          timestamptz NOT NULL DEFAULT now(),
    junked              boolean NOT NULL DEFAULT false,
    junk_reason         text,
    junked_by           text,
    junked_at           timestamptz
);
CREATE INDEX frame_night ON frame (night, run, arm);
CREATE INDEX frame_path ON frame (path);
CREATE INDEX frame_name ON frame (night, name);
CREATE INDEX frame_class ON frame (frame_class, night);

CREATE TABLE rejected_file (
    path         text PRIMARY KEY,
    name         text NOT NULL,
    night        text NOT NULL,
    size_bytes   bigint NOT NULL,
    mtime_ns     bigint NOT NULL,
    code         text NOT NULL,
    reason       text NOT NULL,
    first_seen   timestamptz NOT NULL DEFAULT now(),
    last_seen    timestamptz NOT NULL DEFAULT now(),
    resolved_at  timestamptz,
    told_in      text                                -- notification that named it; empty again when it changes
);
CREATE INDEX rejected_file_night ON rejected_file (night);

-- What the matcher decided about a frame, with its reason. One row a frame, the newest decision.
CREATE TABLE frame_plan (
    frame_id     text PRIMARY KEY,
    night        text NOT NULL,
    state        text NOT NULL CHECK (state IN ('waiting', 'planned', 'set_aside', 'failed', 'junked')),
    reason       text NOT NULL,
    job_key      text,
    level        smallint,
    provisional  boolean NOT NULL DEFAULT false,
    decision     jsonb NOT NULL DEFAULT '{}',        -- choices and refused candidates
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX frame_plan_night ON frame_plan (night);

-- Which reduction is wanted for each slot. A product is current when its reduction is the wanted one.
CREATE TABLE slot (
    slot         text PRIMARY KEY,
    night        text NOT NULL,
    job_key      text NOT NULL,                      -- empty: nothing is wanted here any more
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX slot_night ON slot (night);

CREATE TABLE reduction (
    job_key             text PRIMARY KEY,
    slot                text NOT NULL,
    kind                text NOT NULL,
    night               text NOT NULL,
    arm                 text,
    state               text NOT NULL CHECK (state IN ('queued', 'running', 'retrying', 'succeeded', 'failed', 'cancelled')),
    priority            integer NOT NULL,
    provisional         boolean NOT NULL DEFAULT false,
    engine              text NOT NULL,
    engine_version      text NOT NULL,
    document            jsonb NOT NULL,              -- schemas.reductions.Reduction
    attempt             integer NOT NULL DEFAULT 0,  -- counted before the work, for ever: the fence
    tries               integer NOT NULL DEFAULT 0,  -- those of the present request, which are limited
    forced              boolean NOT NULL DEFAULT false, -- a person asked: run although it is done or not wanted
    stage               text,
    progress            real,
    outcome             text,
    error_code          text,
    error               text,
    log_path            text,
    runner              text,
    queue_job_id        bigint,
    requested_at        timestamptz NOT NULL,
    queued_at           timestamptz NOT NULL DEFAULT now(),
    started_at          timestamptz,
    engine_started_at   timestamptz,
    engine_finished_at  timestamptz,
    finished_at         timestamptz
);
CREATE INDEX reduction_night ON reduction (night, state);
CREATE INDEX reduction_slot ON reduction (slot);
CREATE INDEX reduction_finished ON reduction (finished_at);
CREATE INDEX reduction_open ON reduction (state) WHERE state IN ('queued', 'running', 'retrying');

CREATE TABLE reduction_frame (
    job_key   text NOT NULL REFERENCES reduction ON DELETE CASCADE,
    frame_id  text NOT NULL,
    PRIMARY KEY (job_key, frame_id)
);
CREATE INDEX reduction_frame_frame ON reduction_frame (frame_id);

CREATE TABLE product (
    product_id     text PRIMARY KEY,
    job_key        text NOT NULL REFERENCES reduction,
    slot           text NOT NULL,
    kind           text NOT NULL,
    night          text NOT NULL,
    arm            text,
    version        integer NOT NULL,
    current        boolean NOT NULL DEFAULT false,
    path           text NOT NULL,                    -- in the products folder: where the current version lies
    stored_path    text NOT NULL,                    -- in the data folder: where this version lies for ever
    checksum       text NOT NULL,
    size_bytes     bigint NOT NULL,
    plate          smallint,
    grating        text NOT NULL DEFAULT '',
    field          text NOT NULL DEFAULT '',
    run            integer,
    level          smallint,
    provisional    boolean NOT NULL DEFAULT false,
    quality        jsonb NOT NULL DEFAULT '{}',
    provenance     jsonb NOT NULL DEFAULT '{}',
    created_at     timestamptz NOT NULL DEFAULT now(),
    superseded_at  timestamptz,
    UNIQUE (job_key, kind),
    UNIQUE (slot, kind, version)
);
CREATE UNIQUE INDEX product_current ON product (slot, kind) WHERE current;
CREATE INDEX product_night ON product (night, kind) WHERE current;

CREATE TABLE product_frame (
    product_id  text NOT NULL REFERENCES product ON DELETE CASCADE,
    frame_id    text NOT NULL,
    PRIMARY KEY (product_id, frame_id)
);
CREATE INDEX product_frame_frame ON product_frame (frame_id);

-- One row a spectrum, with what ObsCore wants to know of it.
CREATE TABLE spectrum (
    product_id        text NOT NULL REFERENCES product ON DELETE CASCADE,
    fibre             smallint NOT NULL,             -- slit position, from 1; row of the product
    target_name       text NOT NULL,
    fibre_type        text NOT NULL,
    pivot             smallint,
    ra                double precision,              -- degrees
    dec               double precision,
    magnitude         real,
    wavelength_min    double precision,              -- Angstrom in air
    wavelength_max    double precision,
    wavelength_step   double precision,
    resolving_power   real,
    signal_to_noise   real,                          -- median, per Angstrom
    exposed           real,                          -- s
    mjd_start         double precision,
    mjd_end           double precision,
    PRIMARY KEY (product_id, fibre)
);
CREATE INDEX spectrum_target ON spectrum (target_name);

CREATE TABLE observing_log (
    frame_id       text PRIMARY KEY,
    night          text NOT NULL,
    run            integer NOT NULL,
    arm            text NOT NULL,
    ut_start       timestamptz NOT NULL,
    frame_class    text NOT NULL,
    object_name    text NOT NULL,
    field          text NOT NULL,
    plate          smallint,
    grating        text NOT NULL,
    central_wavelength integer,
    exposed        real NOT NULL,
    airmass        real,
    proposal       text NOT NULL,
    level          smallint,
    signal_to_noise real,
    result         text NOT NULL DEFAULT '',
    updated_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX observing_log_night ON observing_log (night, run, arm);

CREATE TABLE notification (
    notification_id  text PRIMARY KEY,               -- derived: the same occasion is told once
    night            text NOT NULL,
    kind             text NOT NULL,
    subject          text NOT NULL,
    body             text NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    sent_at          timestamptz,
    location         text
);

-- What a transaction announces, written in that transaction; the relay publishes it at least once.
CREATE TABLE outbox (
    id            bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    topic         text NOT NULL,
    key           text NOT NULL,
    event_id      text NOT NULL,
    payload       jsonb NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    published_at  timestamptz
);
CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL;
CREATE INDEX outbox_replay ON outbox (topic, key);

CREATE FUNCTION outbox_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('outbox', '');
    RETURN NULL;
END;
$$;
CREATE TRIGGER outbox_inserted AFTER INSERT ON outbox
    FOR EACH STATEMENT EXECUTE FUNCTION outbox_notify();

-- The status feed, numbered without gaps by the relay.
CREATE TABLE status_event (
    seq        bigint PRIMARY KEY,
    outbox_id  bigint NOT NULL UNIQUE,
    night      text NOT NULL,
    entity     text NOT NULL,
    entity_id  text NOT NULL,
    state      text NOT NULL,
    payload    jsonb NOT NULL,                       -- schemas.events.StatusEvent, with its number
    at         timestamptz NOT NULL
);
CREATE INDEX status_event_night ON status_event (night, seq);
CREATE INDEX status_event_entity ON status_event (entity_id, seq);

-- Which memory of which broker the outbox was last published into.
CREATE TABLE relay_state (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    incarnation  text NOT NULL,
    since        timestamptz NOT NULL DEFAULT now()
);

-- What became of each frame: the plan, overlaid with how far its reduction has come.
CREATE VIEW frame_status AS
SELECT
    f.frame_id, f.night, f.name, f.path, f.arm, f.run, f.frame_class, f.object_name, f.field, f.plate,
    f.grating, f.central_wavelength, f.exposed, f.utmjd, f.airmass, f.source, f.completed_at, f.arrived_at,
    f.document -> 'exposure' AS exposure,            -- schemas.frames.ExposureLevel
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
    CASE
        WHEN f.junked THEN f.junk_reason
        WHEN r.state IN ('failed', 'retrying') THEN r.error
        ELSE p.reason
    END AS reason,
    p.level, p.provisional, p.decision, p.updated_at AS planned_at,
    r.job_key, r.kind AS reduction_kind, r.stage, r.progress, r.attempt, r.error_code,
    r.started_at, r.engine_started_at, r.engine_finished_at, r.finished_at,
    (SELECT (d.quality ->> 'signal_to_noise')::real FROM product d
      WHERE d.job_key = p.job_key ORDER BY d.kind LIMIT 1) AS signal_to_noise
FROM frame f
LEFT JOIN frame_plan p USING (frame_id)
LEFT JOIN reduction r ON r.job_key = p.job_key;
