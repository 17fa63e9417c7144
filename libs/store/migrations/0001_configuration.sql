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
