-- A snapshot that becomes the tree again is a transaction too: the path is where its pieces were.
CREATE OR REPLACE FUNCTION txn_type(type integer) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE type
  WHEN 1 THEN 'create' WHEN 2 THEN 'delete' WHEN 5 THEN 'setData' WHEN 7 THEN 'setACL' WHEN 9 THEN 'sync'
  WHEN 13 THEN 'check' WHEN 14 THEN 'multi' WHEN 15 THEN 'create2' WHEN 16 THEN 'reconfig' WHEN 19 THEN 'createContainer'
  WHEN 20 THEN 'deleteContainer' WHEN 21 THEN 'createTTL' WHEN -1 THEN 'error' WHEN -10 THEN 'createSession'
  WHEN -11 THEN 'closeSession' WHEN -12 THEN 'attachSession' WHEN 124 THEN 'restore' ELSE type::text
END;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION txn_path(type integer, body bytea) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE
  WHEN type IN (1, 2, 5, 7, 9, 13, 15, 19, 20, 21, 124) AND octet_length(body) > 4
    AND int32_at(body, 0) BETWEEN 1 AND octet_length(body) - 4
  THEN text_or_null(substring(body FROM 5 FOR int32_at(body, 0)))
END;
