-- What a file's content is called in manifests and archives, kept because it costs a reading of the file.
-- Content never changes under its checksum, so nothing here is ever wrong or needs to be removed.
CREATE TABLE file_digest (
    checksum    text PRIMARY KEY CHECK (checksum ~ '^[0-9a-f]{64}$'),  -- BLAKE3
    size_bytes  bigint NOT NULL,
    sha256      text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    crc32       bigint NOT NULL CHECK (crc32 BETWEEN 0 AND 4294967295),
    made_at     timestamptz NOT NULL DEFAULT now()
);
