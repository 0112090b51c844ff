-- TAP_SCHEMA: what tables the Virtual Observatory's query service has. The standard columns of TAP 1.1, and beside
-- them what we need to answer queries; those are in no catalogue, so nobody can ask for them.

CREATE SCHEMA tap_schema;
CREATE SCHEMA vo;          -- views of our own tables, for queries of the Virtual Observatory
CREATE SCHEMA published;   -- the rows of tables that people publish, each version a table of its own

CREATE TABLE tap_schema.schemas (
    schema_name    text PRIMARY KEY,
    utype          text,
    description    text,
    schema_index   integer,
    -- Ours:
    digest         text,                                          -- of a declared schema; none: made by publishing
    owner_account  bigint REFERENCES account ON DELETE CASCADE    -- of a personal schema
);
CREATE UNIQUE INDEX schemas_owner ON tap_schema.schemas (owner_account);
CREATE UNIQUE INDEX schemas_name ON tap_schema.schemas (lower(schema_name));

CREATE TABLE tap_schema.tables (
    table_name     text PRIMARY KEY,                              -- schema.table, as queries name it
    schema_name    text NOT NULL REFERENCES tap_schema.schemas ON UPDATE CASCADE ON DELETE CASCADE,
    table_type     text NOT NULL CHECK (table_type IN ('table', 'view')),
    utype          text,
    description    text,
    table_index    integer,
    -- Ours:
    relation       text NOT NULL,                                 -- what stands in FROM: paws/vo/declared/values.py
    sight          text CHECK (sight IN ('frame', 'product', 'reduction')),  -- who sees a row; none: who sees the table
    owner_account  bigint REFERENCES account ON DELETE CASCADE,   -- a personal table: its owner alone sees it
    proposal       text,                                          -- members of this proposal see it
    positions      text[] NOT NULL DEFAULT '{}',                  -- columns with a position index: ra, dec, ra, dec
    row_count      bigint,
    size_bytes     bigint,
    warnings       text[] NOT NULL DEFAULT '{}',                  -- what was changed or doubtful when it was published
    source         text NOT NULL DEFAULT '',                      -- where a published table came from
    published_by   text,                                          -- none: declared by the code
    published_at   timestamptz,
    CHECK (owner_account IS NULL OR proposal IS NULL)
);
CREATE UNIQUE INDEX tables_name ON tap_schema.tables (lower(table_name));
CREATE INDEX tables_schema ON tap_schema.tables (schema_name);

CREATE TABLE tap_schema.columns (
    table_name     text NOT NULL REFERENCES tap_schema.tables ON UPDATE CASCADE ON DELETE CASCADE,
    column_name    text NOT NULL,                                 -- as queries write it: delimited where it must be
    datatype       text NOT NULL,
    arraysize      text,
    xtype          text,
    "size"         integer,
    description    text,
    utype          text,
    unit           text,
    ucd            text,
    indexed        integer NOT NULL DEFAULT 0 CHECK (indexed IN (0, 1)),
    principal      integer NOT NULL DEFAULT 0 CHECK (principal IN (0, 1)),
    std            integer NOT NULL DEFAULT 0 CHECK (std IN (0, 1)),
    column_index   integer NOT NULL,
    -- Ours:
    name           text NOT NULL,                                 -- without quotes
    sql_expression text,                                          -- within the relation; none: the name, quoted
    PRIMARY KEY (table_name, column_name)
);

CREATE TABLE tap_schema.keys (
    key_id         text PRIMARY KEY,
    from_table     text NOT NULL REFERENCES tap_schema.tables ON UPDATE CASCADE ON DELETE CASCADE,
    target_table   text NOT NULL,
    utype          text,
    description    text
);

CREATE TABLE tap_schema.key_columns (
    key_id         text NOT NULL REFERENCES tap_schema.keys ON DELETE CASCADE,
    from_column    text NOT NULL,
    target_column  text NOT NULL,
    PRIMARY KEY (key_id, from_column)
);

-- Grows with every change, so that whoever keeps a catalogue knows when to read it again.
CREATE TABLE tap_schema.version (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    version  bigint NOT NULL
);
INSERT INTO tap_schema.version (version) VALUES (1);

CREATE FUNCTION tap_schema.bump() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tap_schema.version SET version = version + 1;
    RETURN NULL;
END;
$$;
CREATE TRIGGER bump AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tap_schema.schemas
    FOR EACH STATEMENT EXECUTE FUNCTION tap_schema.bump();
CREATE TRIGGER bump AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tap_schema.tables
    FOR EACH STATEMENT EXECUTE FUNCTION tap_schema.bump();
CREATE TRIGGER bump AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tap_schema.columns
    FOR EACH STATEMENT EXECUTE FUNCTION tap_schema.bump();
CREATE TRIGGER bump AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tap_schema.keys
    FOR EACH STATEMENT EXECUTE FUNCTION tap_schema.bump();
CREATE TRIGGER bump AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tap_schema.key_columns
    FOR EACH STATEMENT EXECUTE FUNCTION tap_schema.bump();

-- A table that is published by somebody who does not wait for it: taken on here, then done by a process of its own.
CREATE TABLE tap_publication (
    publication_id  text PRIMARY KEY,
    table_name      text NOT NULL,
    state           text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'published', 'failed')),
    stage           text NOT NULL DEFAULT '',              -- what it does, for people
    rows_done       bigint NOT NULL DEFAULT 0,
    message         text NOT NULL DEFAULT '',              -- what went wrong, or what is to be known of the table
    file_name       text NOT NULL,                         -- of the upload, within its folder
    metadata_name   text NOT NULL DEFAULT '',
    told_name       text NOT NULL DEFAULT '',              -- as whoever sent it calls it
    wish            jsonb NOT NULL,                        -- description, audience, replace
    account_id      bigint REFERENCES account ON DELETE CASCADE,
    asked_by        text NOT NULL,
    address         text NOT NULL DEFAULT '',
    asked_at        timestamptz NOT NULL,
    slot            integer,                               -- whose lock its process holds
    tries           integer NOT NULL DEFAULT 0,
    finished_at     timestamptz
);
CREATE INDEX tap_publication_open ON tap_publication (asked_at) WHERE state IN ('waiting', 'running');
CREATE INDEX tap_publication_account ON tap_publication (account_id, asked_at DESC);

-- Rows that no name leads to any more. They stay for queries that began before, and are dropped later.
CREATE TABLE tap_schema.retired (
    relation    text PRIMARY KEY,
    retired_at  timestamptz NOT NULL DEFAULT now()
);

-- Whoever goes takes their tables along; no row of a table that is gone stays for ever.
CREATE FUNCTION tap_schema.retire() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tap_schema.retired (relation) VALUES (OLD.relation) ON CONFLICT DO NOTHING;
    RETURN NULL;
END;
$$;
CREATE TRIGGER retire AFTER DELETE ON tap_schema.tables
    FOR EACH ROW WHEN (OLD.published_by IS NOT NULL) EXECUTE FUNCTION tap_schema.retire();
CREATE TRIGGER retire_replaced AFTER UPDATE ON tap_schema.tables
    FOR EACH ROW WHEN (OLD.published_by IS NOT NULL AND OLD.relation IS DISTINCT FROM NEW.relation)
    EXECUTE FUNCTION tap_schema.retire();
