-- Which servers vote is a part of the replicated state; a peer has to know it before it reads its log.
CREATE TABLE configuration (
  id boolean PRIMARY KEY DEFAULT true CHECK (id),
  committed text,
  proposed text
);
--> statement-breakpoint
COMMENT ON TABLE configuration IS 'The members of the ensemble (one row), as in /zookeeper/config: agreed on, and in the log but not yet known to be. NULL: as the operator''s file says.';
--> statement-breakpoint
INSERT INTO configuration DEFAULT VALUES;
--> statement-breakpoint
-- A reconfiguration's body is a setData's.
CREATE OR REPLACE FUNCTION txn_path(type integer, body bytea) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE
  WHEN type IN (1, 2, 5, 7, 9, 13, 15, 16, 19, 20, 21) AND octet_length(body) > 4
    AND int32_at(body, 0) BETWEEN 1 AND octet_length(body) - 4
  THEN text_or_null(substring(body FROM 5 FOR int32_at(body, 0)))
END;
