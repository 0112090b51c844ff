-- Accounts, and who may see what. The rule itself: paws/access/rule.py in Python, may_see() here; a test holds
-- them to the same answers.

-- ---- People -------------------------------------------------------------------------------------------------

CREATE TABLE account (
    account_id           bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name                 text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,39}$'),
    full_name            text NOT NULL DEFAULT '',
    email                text NOT NULL DEFAULT '',
    password_hash        text,                        -- argon2id; none: signs in elsewhere, or not yet
    password_changed_at  timestamptz,
    administrator        boolean NOT NULL DEFAULT false,
    disabled_at          timestamptz,
    oidc_issuer          text,
    oidc_subject         text,
    created_at           timestamptz NOT NULL DEFAULT now(),
    created_by           text NOT NULL DEFAULT '',
    signed_in_at         timestamptz,
    UNIQUE (oidc_issuer, oidc_subject)
);
CREATE INDEX account_email ON account (lower(email)) WHERE email <> '';

-- A proposal, as AAOPRGID names it: the group of people that its data belong to.
CREATE TABLE proposal (
    proposal    text PRIMARY KEY CHECK (proposal ~ '^[A-Z0-9][A-Z0-9 /._:+-]{0,79}$'),
    title       text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    created_by  text NOT NULL DEFAULT ''
);

CREATE TABLE membership (
    proposal    text NOT NULL REFERENCES proposal ON DELETE CASCADE,
    account_id  bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    role        text NOT NULL DEFAULT 'member' CHECK (role IN ('member', 'leader')),
    added_at    timestamptz NOT NULL DEFAULT now(),
    added_by    text NOT NULL DEFAULT '',
    PRIMARY KEY (proposal, account_id)
);
CREATE INDEX membership_account ON membership (account_id);

-- Secrets are kept as SHA-256 of what the holder has: 256 random bits need no slow hash.
CREATE TABLE web_session (
    session_hash  bytea PRIMARY KEY,
    account_id    bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    created_at    timestamptz NOT NULL,
    seen_at       timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    address       text NOT NULL DEFAULT '',
    browser       text NOT NULL DEFAULT ''
);
CREATE INDEX web_session_account ON web_session (account_id);

CREATE TABLE api_token (
    token_id    bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    token_hash  bytea NOT NULL UNIQUE,
    hint        text NOT NULL,                       -- its first characters, so that people know it again
    account_id  bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    name        text NOT NULL,
    scopes      text[] NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    revoked_at  timestamptz
);
CREATE INDEX api_token_account ON api_token (account_id);

CREATE TABLE password_reset (
    reset_hash  bytea PRIMARY KEY,
    account_id  bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz
);

-- A read-only link for collaborators: fields of one proposal, or a set of its products.
CREATE TABLE share_link (
    share_id     bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    share_hash   bytea NOT NULL UNIQUE,
    hint         text NOT NULL,
    proposal     text NOT NULL,
    fields       text[] NOT NULL DEFAULT '{}',
    product_ids  text[] NOT NULL DEFAULT '{}',
    note         text NOT NULL DEFAULT '',
    account_id   bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz,
    revoked_at   timestamptz,
    CHECK (cardinality(fields) + cardinality(product_ids) > 0)
);
CREATE INDEX share_link_account ON share_link (account_id);

-- A sign-in elsewhere (OpenID Connect) that is under way.
CREATE TABLE oidc_sign_in (
    state_hash  bytea PRIMARY KEY,
    visit_hash  bytea NOT NULL,                      -- the browser that began it
    nonce       text NOT NULL,
    verifier    text NOT NULL,
    target      text NOT NULL,
    expires_at  timestamptz NOT NULL
);

-- Tries that are counted: sign-ins and resets, by account name and by address. Pruned as it grows.
CREATE TABLE attempt (
    attempt_id  bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    kind        text NOT NULL,
    subject     text NOT NULL,
    at          timestamptz NOT NULL
);
CREATE INDEX attempt_subject ON attempt (kind, subject, at);
CREATE INDEX attempt_at ON attempt (at);

-- Who did what. Never changed, never pruned by us.
CREATE TABLE audit (
    audit_id  bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    at        timestamptz NOT NULL DEFAULT now(),
    actor     text NOT NULL,                         -- account name, or 'command line'
    address   text NOT NULL DEFAULT '',
    action    text NOT NULL,
    subject   text NOT NULL DEFAULT '',
    detail    jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_subject ON audit (subject, at);

-- Messages to one person. Those of kind 'account' hold a secret: the body is wiped when it is sent.
ALTER TABLE notification ADD COLUMN recipient text;
CREATE INDEX notification_unsent ON notification (created_at) WHERE sent_at IS NULL;

-- ---- When data become public --------------------------------------------------------------------------------

-- The period of everything that has none of its own.
CREATE TABLE access_policy (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    months    integer NOT NULL DEFAULT 18 CHECK (months BETWEEN 0 AND 1200)
);
INSERT INTO access_policy DEFAULT VALUES;

-- Periods of a proposal, each for what was observed from a date on. No months: never public by itself.
CREATE TABLE proprietary_period (
    proposal       text NOT NULL REFERENCES proposal ON DELETE CASCADE,
    observed_from  date NOT NULL DEFAULT '-infinity',
    months         integer CHECK (months BETWEEN 0 AND 1200),
    set_at         timestamptz NOT NULL DEFAULT now(),
    set_by         text NOT NULL DEFAULT '',
    PRIMARY KEY (proposal, observed_from)
);

-- Whom a frame belongs to: '*' is the observatory (what calibrates the detectors serves everyone who has an
-- account), '' is nobody known. Frames through the fibres carry the fibre table, hence the targets: they belong
-- to their proposal, calibrations or not.
CREATE FUNCTION frame_owner(proposal text, frame_class text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN frame_class IN ('BIAS', 'DARK', 'LFLAT') THEN '*'
        WHEN upper(btrim(proposal, ' ') COLLATE "C") ~ '^[A-Z0-9][A-Z0-9 /._:+-]{0,79}$'
            THEN upper(btrim(proposal, ' ') COLLATE "C")
        ELSE ''
    END
$$;

CREATE FUNCTION frame_public_on(owner text, utmjd double precision) RETURNS date LANGUAGE plpgsql STABLE AS $$
DECLARE
    observed date;
    chosen record;
    period integer;
BEGIN
    -- A start that is no date is never public by itself. NaN is greater than any number.
    IF utmjd IS NULL OR utmjd < 0 OR utmjd >= 200000 THEN
        RETURN 'infinity';
    END IF;
    observed := date '1858-11-17' + floor(utmjd)::integer;
    SELECT p.months INTO chosen FROM proprietary_period p
        WHERE p.proposal = owner AND p.observed_from <= observed ORDER BY p.observed_from DESC LIMIT 1;
    IF FOUND THEN
        period := chosen.months;
    ELSE
        SELECT a.months INTO period FROM access_policy a;
    END IF;
    IF period IS NULL THEN
        RETURN 'infinity';
    END IF;
    RETURN (observed + make_interval(months => period))::date;
END;
$$;

ALTER TABLE frame ADD COLUMN owner text NOT NULL DEFAULT '';
ALTER TABLE frame ADD COLUMN public_on date NOT NULL DEFAULT 'infinity';
-- Those of all frames that went in: to see a product is to see each of them.
ALTER TABLE product ADD COLUMN owners text[] NOT NULL DEFAULT '{}';
ALTER TABLE product ADD COLUMN public_on date NOT NULL DEFAULT 'infinity';
ALTER TABLE reduction ADD COLUMN owners text[] NOT NULL DEFAULT '{}';
ALTER TABLE reduction ADD COLUMN public_on date NOT NULL DEFAULT 'infinity';
ALTER TABLE reduction ADD COLUMN field text NOT NULL
    GENERATED ALWAYS AS (coalesce(document #>> '{layout,field}', '')) STORED;

CREATE FUNCTION frame_access_set() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.owner := frame_owner(NEW.proposal, NEW.frame_class);
    NEW.public_on := frame_public_on(NEW.owner, NEW.utmjd);
    RETURN NEW;
END;
$$;
CREATE TRIGGER frame_access BEFORE INSERT OR UPDATE OF proposal, frame_class, utmjd ON frame
    FOR EACH ROW EXECUTE FUNCTION frame_access_set();

CREATE FUNCTION product_access_refresh(wanted text[]) RETURNS void LANGUAGE sql AS $$
    UPDATE product p SET owners = a.owners, public_on = a.public_on
    FROM (
        SELECT l.product_id, array_agg(DISTINCT coalesce(f.owner, '')) AS owners,
            max(coalesce(f.public_on, 'infinity')) AS public_on
        FROM product_frame l LEFT JOIN frame f USING (frame_id)
        WHERE l.product_id = ANY(wanted) GROUP BY l.product_id
    ) a
    WHERE p.product_id = a.product_id AND (p.owners, p.public_on) IS DISTINCT FROM (a.owners, a.public_on)
$$;
CREATE FUNCTION reduction_access_refresh(wanted text[]) RETURNS void LANGUAGE sql AS $$
    UPDATE reduction r SET owners = a.owners, public_on = a.public_on
    FROM (
        SELECT l.job_key, array_agg(DISTINCT coalesce(f.owner, '')) AS owners,
            max(coalesce(f.public_on, 'infinity')) AS public_on
        FROM reduction_frame l LEFT JOIN frame f USING (frame_id)
        WHERE l.job_key = ANY(wanted) GROUP BY l.job_key
    ) a
    WHERE r.job_key = a.job_key AND (r.owners, r.public_on) IS DISTINCT FROM (a.owners, a.public_on)
$$;

-- What is there already: all at once, before the triggers that pass on each frame.
UPDATE frame SET proposal = proposal;
SELECT product_access_refresh(ARRAY(SELECT product_id FROM product));
SELECT reduction_access_refresh(ARRAY(SELECT job_key FROM reduction));

CREATE FUNCTION product_frame_access() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM product_access_refresh(ARRAY(SELECT DISTINCT product_id FROM added));
    RETURN NULL;
END;
$$;
CREATE TRIGGER product_frame_access AFTER INSERT ON product_frame
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION product_frame_access();

CREATE FUNCTION reduction_frame_access() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM reduction_access_refresh(ARRAY(SELECT DISTINCT job_key FROM added));
    RETURN NULL;
END;
$$;
CREATE TRIGGER reduction_frame_access AFTER INSERT ON reduction_frame
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION reduction_frame_access();

CREATE FUNCTION frame_access_pass() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM product_access_refresh(ARRAY(SELECT product_id FROM product_frame WHERE frame_id = NEW.frame_id));
    PERFORM reduction_access_refresh(ARRAY(SELECT job_key FROM reduction_frame WHERE frame_id = NEW.frame_id));
    RETURN NULL;
END;
$$;
CREATE TRIGGER frame_access_new AFTER INSERT ON frame
    FOR EACH ROW EXECUTE FUNCTION frame_access_pass();
CREATE TRIGGER frame_access_changed AFTER UPDATE ON frame FOR EACH ROW
    WHEN ((OLD.owner, OLD.public_on) IS DISTINCT FROM (NEW.owner, NEW.public_on))
    EXECUTE FUNCTION frame_access_pass();

CREATE FUNCTION period_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed text := CASE WHEN TG_OP = 'DELETE' THEN OLD.proposal ELSE NEW.proposal END;
BEGIN
    UPDATE frame SET public_on = frame_public_on(owner, utmjd)
        WHERE owner = changed AND public_on IS DISTINCT FROM frame_public_on(owner, utmjd);
    RETURN NULL;
END;
$$;
CREATE TRIGGER period_changed AFTER INSERT OR UPDATE OR DELETE ON proprietary_period
    FOR EACH ROW EXECUTE FUNCTION period_changed();

CREATE FUNCTION policy_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE frame SET public_on = frame_public_on(owner, utmjd)
        WHERE public_on IS DISTINCT FROM frame_public_on(owner, utmjd);
    RETURN NULL;
END;
$$;
CREATE TRIGGER policy_changed AFTER UPDATE ON access_policy
    FOR EACH ROW EXECUTE FUNCTION policy_changed();

CREATE INDEX frame_owner ON frame (owner, night);
CREATE INDEX frame_public ON frame (public_on);

-- ---- The rule -----------------------------------------------------------------------------------------------

-- Whether someone sees a product or a reduction (`thing`). `everything`, `groups`, `grants` and `today` are the
-- viewer: paws.access.rule.Sight. Plain SQL, so that the planner sees through it.
CREATE FUNCTION may_see(owners text[], public_on date, field text, thing text,
                        everything boolean, groups text[], grants text[], today date)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT everything OR public_on <= today
        OR (owners <> '{}' AND owners <@ groups)
        OR (cardinality(owners) = 1 AND owners[1] || chr(31) || field = ANY(grants))
        OR chr(30) || thing = ANY(grants)
$$;

-- The same of a frame.
CREATE FUNCTION may_see_frame(owner text, public_on date, field text,
                              everything boolean, groups text[], grants text[], today date)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT everything OR public_on <= today OR owner = ANY(groups) OR owner || chr(31) || field = ANY(grants)
$$;

-- As before, with what the rule needs at the end.
CREATE OR REPLACE VIEW frame_status AS
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
      WHERE d.job_key = p.job_key ORDER BY d.kind LIMIT 1) AS signal_to_noise,
    f.proposal, f.owner, f.public_on
FROM frame f
LEFT JOIN frame_plan p USING (frame_id)
LEFT JOIN reduction r ON r.job_key = p.job_key;
