-- Rows of the checkpoint carry a checksum, as those of the log do. Those that are there get theirs when they next change.
ALTER TABLE znodes ADD COLUMN crc32 bigint;
--> statement-breakpoint
ALTER TABLE sessions ADD COLUMN crc32 bigint;
--> statement-breakpoint
ALTER TABLE checkpoint ADD COLUMN sessions integer, ADD COLUMN znodes bigint, ADD COLUMN crc32 bigint;
--> statement-breakpoint
COMMENT ON COLUMN checkpoint.sessions IS 'How many rows the table sessions has.';
--> statement-breakpoint
COMMENT ON COLUMN checkpoint.znodes IS 'How many rows the table znodes has.';
--> statement-breakpoint
-- A log that was found to be corrupt is set aside. What it had acknowledged is then not here, and this peer may not vote.
ALTER TABLE epochs ADD COLUMN rebuilding boolean NOT NULL DEFAULT false;
--> statement-breakpoint
COMMENT ON COLUMN epochs.rebuilding IS 'The log was set aside as corrupt: without a vote until a leader has given this peer everything.';
