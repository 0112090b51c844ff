-- Queries of the Virtual Observatory: the role that may read what is published and nothing else, and the jobs.

-- ---- The role -----------------------------------------------------------------------------------------------

-- Roles belong to the whole cluster: it may be there already, or be made by another database's migration right now.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'paws_tap') THEN
        BEGIN
            CREATE ROLE paws_tap NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION 'The role paws_tap is missing, and % may not make it', current_user
                    USING HINT = 'Have an administrator of the database run: CREATE ROLE paws_tap NOLOGIN; '
                                 || 'GRANT paws_tap TO ' || quote_ident(current_user) || ';';
        END;
    END IF;
    IF NOT pg_has_role(current_user, 'paws_tap', 'MEMBER') THEN
        BEGIN
            EXECUTE format('GRANT paws_tap TO %I', current_user);
        EXCEPTION
            WHEN unique_violation THEN NULL;   -- at the same moment by another database's migration
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION '% is no member of the role paws_tap', current_user
                    USING HINT = 'Have an administrator of the database run: GRANT paws_tap TO '
                                 || quote_ident(current_user) || ';';
        END;
    END IF;
    -- Uploads are temporary tables of the role.
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO paws_tap', current_database());
END;
$$;

GRANT USAGE ON SCHEMA tap_schema, vo, published TO paws_tap;
GRANT SELECT ON ALL TABLES IN SCHEMA tap_schema TO paws_tap;
GRANT SELECT ON ALL TABLES IN SCHEMA vo TO paws_tap;
GRANT SELECT ON ALL TABLES IN SCHEMA published TO paws_tap;
-- Views and tables to come.
ALTER DEFAULT PRIVILEGES IN SCHEMA tap_schema GRANT SELECT ON TABLES TO paws_tap;
ALTER DEFAULT PRIVILEGES IN SCHEMA vo GRANT SELECT ON TABLES TO paws_tap;
ALTER DEFAULT PRIVILEGES IN SCHEMA published GRANT SELECT ON TABLES TO paws_tap;

-- ---- Jobs ---------------------------------------------------------------------------------------------------

-- A job of UWS. Who knows the name of one of nobody's may use it: names are random.
CREATE TABLE tap_job (
    job_id              text PRIMARY KEY,
    account_id          bigint REFERENCES account ON DELETE CASCADE,   -- none: asked without an account
    asker               text NOT NULL,                  -- for whom it counts: an account or an address
    shares              bytea[] NOT NULL DEFAULT '{}',  -- digests of the share links they hold
    base_url            text NOT NULL,                  -- under which they reached us
    run_id              text,
    parameters          jsonb NOT NULL DEFAULT '[]',    -- pairs of name and value, in order
    phase               text NOT NULL DEFAULT 'PENDING'
        CHECK (phase IN ('PENDING', 'QUEUED', 'EXECUTING', 'COMPLETED', 'ERROR', 'ABORTED')),
    execution_duration  integer NOT NULL,               -- seconds
    created_at          timestamptz NOT NULL,
    queued_at           timestamptz,
    started_at          timestamptz,
    ended_at            timestamptz,
    destruction         timestamptz NOT NULL,
    error               text,
    media_type          text,                           -- of the result
    result_bytes        bigint NOT NULL DEFAULT 0,
    result_rows         bigint,
    upload_bytes        bigint NOT NULL DEFAULT 0,
    worker              text,                           -- process that runs it
    lease_until         timestamptz,                    -- by the database's clock
    attempts            integer NOT NULL DEFAULT 0
);
CREATE INDEX tap_job_open ON tap_job (queued_at) WHERE phase IN ('QUEUED', 'EXECUTING');
CREATE INDEX tap_job_asker ON tap_job (asker);
CREATE INDEX tap_job_account ON tap_job (account_id, created_at DESC);
CREATE INDEX tap_job_destruction ON tap_job (destruction);
