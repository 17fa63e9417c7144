-- One peer's durable state. The tables are described for programs in ../src/postgres/schema.ts.

CREATE TABLE epochs (
  id boolean PRIMARY KEY DEFAULT true CHECK (id),
  accepted_epoch bigint NOT NULL DEFAULT 0,
  current_epoch bigint NOT NULL DEFAULT 0,
  floor bigint NOT NULL DEFAULT 0,
  CONSTRAINT epochs_order CHECK (current_epoch <= accepted_epoch)
);
--> statement-breakpoint
COMMENT ON TABLE epochs IS 'What this peer has promised (one row). floor: the log holds everything after this zxid.';
--> statement-breakpoint
INSERT INTO epochs DEFAULT VALUES;
--> statement-breakpoint
CREATE TABLE checkpoint (
  id boolean PRIMARY KEY DEFAULT true CHECK (id),
  zxid bigint NOT NULL DEFAULT 0,
  digest bigint NOT NULL DEFAULT 0,
  written_at timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
COMMENT ON TABLE checkpoint IS 'znodes and sessions are the state as of this zxid (one row); the log after it is yet to be applied.';
--> statement-breakpoint
INSERT INTO checkpoint DEFAULT VALUES;
--> statement-breakpoint
CREATE TABLE log_batch (
  last_zxid bigint NOT NULL,
  first_zxid bigint NOT NULL,
  count integer NOT NULL,
  crc32 bigint NOT NULL,
  bytes bytea NOT NULL,
  PRIMARY KEY (last_zxid) INCLUDE (first_zxid)
);
--> statement-breakpoint
COMMENT ON TABLE log_batch IS 'The log: a row per group commit, its transactions packed. The view "log" unpacks them.';
--> statement-breakpoint
-- Compressing costs more than the bytes that it saves on their way to the disk.
ALTER TABLE log_batch ALTER COLUMN bytes SET STORAGE EXTERNAL;
--> statement-breakpoint
-- An index entry must stay below 2.7 kB, a path need not. No path has an empty name, so "//" keeps the two kinds apart.
-- Two functions: the outer one can be inlined, which makes it seven times faster for all the paths that are short.
CREATE FUNCTION long_path_key(path text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN left(path, 200) || '//' || encode(sha256(convert_to(path, 'UTF8')), 'hex');
--> statement-breakpoint
CREATE FUNCTION path_key(path text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN octet_length(path) <= 1024 THEN path ELSE long_path_key(path) END;
--> statement-breakpoint
CREATE TABLE znodes (
  path text NOT NULL,
  data bytea,
  acl jsonb NOT NULL,
  czxid bigint NOT NULL,
  mzxid bigint NOT NULL,
  pzxid bigint NOT NULL,
  ctime bigint NOT NULL,
  mtime bigint NOT NULL,
  version integer NOT NULL,
  cversion integer NOT NULL,
  aversion integer NOT NULL,
  ephemeral_owner bigint NOT NULL,
  kind text NOT NULL CHECK (kind IN ('persistent', 'ephemeral', 'container', 'ttl')),
  ttl_ms bigint NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX znodes_path ON znodes (path_key(path));
--> statement-breakpoint
COMMENT ON TABLE znodes IS 'The tree as of the checkpoint, a row per znode. The view "tree" shows it to people.';
--> statement-breakpoint
CREATE TABLE sessions (
  id bigint PRIMARY KEY,
  password bytea NOT NULL,
  timeout_ms integer NOT NULL,
  peer integer NOT NULL,
  connection bigint NOT NULL,
  seq bigint NOT NULL,
  token bigint NOT NULL
);
--> statement-breakpoint
COMMENT ON TABLE sessions IS 'The sessions as of the checkpoint.';
--> statement-breakpoint
CREATE FUNCTION text_or_null(bytes bytea) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  RETURN convert_from(bytes, 'UTF8');
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE FUNCTION int64_at(bytes bytea, place integer) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN ('x' || encode(substring(bytes FROM place + 1 FOR 8), 'hex'))::bit(64)::bigint;
--> statement-breakpoint
CREATE FUNCTION int32_at(bytes bytea, place integer) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN ('x' || encode(substring(bytes FROM place + 1 FOR 4), 'hex'))::bit(32)::integer;
--> statement-breakpoint
CREATE FUNCTION txn_type(type integer) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE type
  WHEN 1 THEN 'create' WHEN 2 THEN 'delete' WHEN 5 THEN 'setData' WHEN 7 THEN 'setACL' WHEN 9 THEN 'sync'
  WHEN 13 THEN 'check' WHEN 14 THEN 'multi' WHEN 15 THEN 'create2' WHEN 16 THEN 'reconfig' WHEN 19 THEN 'createContainer'
  WHEN 20 THEN 'deleteContainer' WHEN 21 THEN 'createTTL' WHEN -1 THEN 'error' WHEN -10 THEN 'createSession'
  WHEN -11 THEN 'closeSession' WHEN -12 THEN 'attachSession' ELSE type::text
END;
--> statement-breakpoint
-- The types whose body begins with a path, as a jute string: its length, then its bytes.
CREATE FUNCTION txn_path(type integer, body bytea) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE
  WHEN type IN (1, 2, 5, 7, 9, 13, 15, 19, 20, 21) AND octet_length(body) > 4
    AND int32_at(body, 0) BETWEEN 1 AND octet_length(body) - 4
  THEN text_or_null(substring(body FROM 5 FOR int32_at(body, 0)))
END;
--> statement-breakpoint
-- The entries of a batch, back to back: size u32, zxid, session u64, seq u32, cxid i32, time u64, type i32, body.
CREATE FUNCTION log_entries(batch bytea)
RETURNS TABLE (zxid bigint, session bigint, seq bigint, cxid integer, "time" timestamptz, type integer, body bytea)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE ROWS 100 AS $$
DECLARE
  place integer := 0;
  size integer;
BEGIN
  WHILE place < octet_length(batch) LOOP
    size := int32_at(batch, place);
    IF size < 36 THEN
      RAISE EXCEPTION 'a transaction of % bytes at byte % of its batch', size, place;
    END IF;
    zxid := int64_at(batch, place + 4);
    session := int64_at(batch, place + 12);
    seq := int32_at(batch, place + 20)::bigint & 4294967295;
    cxid := int32_at(batch, place + 24);
    "time" := to_timestamp(int64_at(batch, place + 28) / 1000.0);
    type := int32_at(batch, place + 36);
    body := substring(batch FROM place + 41 FOR size - 36);
    place := place + 4 + size;
    RETURN NEXT;
  END LOOP;
END $$;
--> statement-breakpoint
CREATE VIEW log AS
SELECT
  entry.zxid,
  '0x' || to_hex(entry.zxid) AS zxid_hex,
  entry.time,
  txn_type(entry.type) AS type,
  txn_path(entry.type, entry.body) AS path,
  CASE WHEN entry.type = -1 THEN int32_at(entry.body, 0) END AS error,
  entry.session,
  '0x' || to_hex(entry.session) AS session_hex,
  entry.seq,
  entry.cxid,
  entry.body,
  batch.last_zxid AS batch
FROM log_batch AS batch CROSS JOIN LATERAL log_entries(batch.bytes) AS entry;
--> statement-breakpoint
COMMENT ON VIEW log IS 'A row per transaction. Filter by "batch" (the zxid that its row of log_batch ends at) to keep a query short.';
--> statement-breakpoint
CREATE VIEW tree AS
SELECT
  path,
  octet_length(data) AS size,
  text_or_null(data) AS text,
  kind,
  version,
  cversion,
  aversion,
  to_timestamp(ctime / 1000.0) AS created,
  to_timestamp(mtime / 1000.0) AS modified,
  '0x' || to_hex(czxid) AS czxid,
  '0x' || to_hex(mzxid) AS mzxid,
  '0x' || to_hex(pzxid) AS pzxid,
  CASE WHEN ephemeral_owner <> 0 THEN '0x' || to_hex(ephemeral_owner) END AS ephemeral_owner,
  CASE WHEN kind = 'ttl' THEN ttl_ms * interval '1 millisecond' END AS ttl,
  acl
FROM znodes;
