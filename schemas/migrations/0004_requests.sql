-- Requests: reductions that people ask for, of frames that they choose, with parameters of their own.

CREATE TABLE request (
    request_id          text PRIMARY KEY CHECK (request_id ~ '^[0-9a-f]{16}$'),  -- derived from who and the form
    account_id          bigint REFERENCES account ON DELETE SET NULL,
    who                 text NOT NULL,
    title               text NOT NULL DEFAULT '',
    night               text NOT NULL CHECK (night ~ '^\d{8}$'),  -- the first of its frames
    engine              text NOT NULL,
    engine_version      text NOT NULL,
    parameters          jsonb NOT NULL DEFAULT '{}',     -- what differs from the default, by 2dFdr's names
    parameters_version  integer NOT NULL,                -- schemas.parameters.VERSION
    options             jsonb NOT NULL DEFAULT '{}',     -- paws.requests.wish.Options
    variant             text NOT NULL,                   -- names its own slots: schemas.layout.own_slot
    state               text NOT NULL DEFAULT 'Initialised'
        CHECK (state IN ('Initialised', 'Queued', 'Running', 'Finished', 'Failed', 'Cancelled')),
    reason              text NOT NULL DEFAULT '',
    frames              integer NOT NULL,
    parts               integer NOT NULL DEFAULT 0,      -- reductions that it needs
    parts_done          integer NOT NULL DEFAULT 0,
    parts_failed        integer NOT NULL DEFAULT 0,
    parts_reused        integer NOT NULL DEFAULT 0,      -- done before it asked
    missing             jsonb NOT NULL DEFAULT '[]',     -- results that cannot be made, with the reason
    submitted_at        timestamptz NOT NULL,
    planned_at          timestamptz,
    started_at          timestamptz,
    finished_at         timestamptz,
    cancel_at           timestamptz,                     -- when somebody wanted it cancelled
    cancelled_by        text NOT NULL DEFAULT '',
    retry_at            timestamptz,                     -- failures before do not count any more
    retries             integer NOT NULL DEFAULT 0,
    cloned_from         text,
    mail                text NOT NULL DEFAULT '',        -- address; empty: none is wanted
    webhook             text NOT NULL DEFAULT '',        -- address; empty: none is wanted
    webhook_secret      text NOT NULL DEFAULT '',        -- signs what is sent there; shown to its owner
    owners              text[] NOT NULL DEFAULT '{}'     -- those of all its frames
);
CREATE INDEX request_submitted ON request (submitted_at DESC, request_id);
CREATE INDEX request_account ON request (account_id, submitted_at DESC);
CREATE INDEX request_open ON request (submitted_at) WHERE state IN ('Initialised', 'Queued', 'Running');
CREATE INDEX request_state ON request (state, submitted_at DESC);

CREATE TABLE request_frame (
    request_id  text NOT NULL REFERENCES request ON DELETE CASCADE,
    frame_id    text NOT NULL,
    position    integer NOT NULL,                        -- in the order in which they were chosen
    state       text NOT NULL DEFAULT 'arrived',         -- what the plan says of it
    reason      text NOT NULL DEFAULT '',
    level       smallint,
    job_key     text,
    decision    jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (request_id, frame_id)
);
CREATE INDEX request_frame_frame ON request_frame (frame_id);

-- Every reduction that a request needs, as its newest plan has it.
CREATE TABLE request_part (
    request_id  text NOT NULL REFERENCES request ON DELETE CASCADE,
    job_key     text NOT NULL,
    wanted      boolean NOT NULL DEFAULT true,           -- whether the newest plan needs it
    position    integer NOT NULL,                        -- what is needed first comes first
    slot        text NOT NULL,                           -- of the night's plan
    kind        text NOT NULL,
    night       text NOT NULL,
    arm         text,
    label       text NOT NULL,                           -- what it reduces, for people
    result      boolean NOT NULL,                        -- whether it is what was asked for, or needed for it alone
    reused      boolean NOT NULL DEFAULT false,
    reason      text NOT NULL DEFAULT '',                -- what it waits for
    asked_at    timestamptz,
    PRIMARY KEY (request_id, job_key)
);
CREATE INDEX request_part_job ON request_part (job_key);

-- Whether the planner wants what stands beside its plan is asked by key.
CREATE INDEX slot_job ON slot (job_key);
CREATE INDEX reduction_beside ON reduction (job_key) WHERE starts_with(slot, 'own/');

CREATE TABLE request_event (
    event_id    bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    request_id  text NOT NULL REFERENCES request ON DELETE CASCADE,
    at          timestamptz NOT NULL,
    kind        text NOT NULL,
    text        text NOT NULL,
    who         text NOT NULL DEFAULT ''
);
CREATE INDEX request_event_request ON request_event (request_id, event_id);

-- What is to be told to other people's programs. Kept until it is delivered or given up.
CREATE TABLE webhook_delivery (
    delivery_id   text PRIMARY KEY,                      -- derived: the same occasion is told once
    request_id    text NOT NULL REFERENCES request ON DELETE CASCADE,
    body          text NOT NULL,
    created_at    timestamptz NOT NULL,
    next_at       timestamptz,                           -- none: it is over
    tries         integer NOT NULL DEFAULT 0,
    delivered_at  timestamptz,
    result        text NOT NULL DEFAULT ''               -- of the last try, for people
);
CREATE INDEX webhook_due ON webhook_delivery (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX webhook_request ON webhook_delivery (request_id, created_at);

-- Runners that take jobs, and of which engine: nobody else knows why nothing happens to what an engine is to do.
CREATE TABLE runner_presence (
    runner   text PRIMARY KEY,
    engine   text NOT NULL,
    slots    integer NOT NULL,
    seen_at  timestamptz NOT NULL
);

-- Whoever sees all of its frames as a member of their proposals sees a request; so does whoever submitted it.
CREATE FUNCTION may_see_request(owners text[], account_id bigint, viewer bigint, everything boolean, groups text[])
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT everything OR coalesce(account_id = viewer, false) OR (owners <> '{}' AND owners <@ groups)
$$;

CREATE FUNCTION request_access_refresh() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE request r SET owners = a.owners
    FROM (
        SELECT l.request_id, array_agg(DISTINCT coalesce(f.owner, '')) AS owners
        FROM request_frame l LEFT JOIN frame f USING (frame_id)
        WHERE l.request_id IN (SELECT request_id FROM request_frame WHERE frame_id = NEW.frame_id)
        GROUP BY l.request_id
    ) a
    WHERE r.request_id = a.request_id AND r.owners IS DISTINCT FROM a.owners;
    RETURN NULL;
END;
$$;
CREATE TRIGGER request_access AFTER UPDATE OF owner, proposal, frame_class ON frame FOR EACH ROW
    WHEN (OLD.owner IS DISTINCT FROM NEW.owner) EXECUTE FUNCTION request_access_refresh();
