/**
 * A peer's database, for drizzle. `migrations/` makes it; a test holds the two together. The hot statements are written by
 * hand (statements.ts), so only what migrates, or wants to query a peer's database from outside, loads drizzle.
 */
import type { Acl } from "@zkmesh/protocol"
import { bigint, boolean, customType, integer, jsonb, pgTable, pgView, text, timestamp } from "drizzle-orm/pg-core"

const bytea = customType<{ data: Buffer }>({ dataType: () => "bytea" })
/** Every 64-bit number of ours is a safe integer. */
const int8 = (name: string) => bigint(name, { mode: "number" }).notNull()

/** Of a row; none in rows that are older than the checksums. */
const sum = () => bigint("crc32", { mode: "number" })

export const epochs = pgTable("epochs", {
  id: boolean("id").primaryKey(),
  acceptedEpoch: int8("accepted_epoch"),
  currentEpoch: int8("current_epoch"),
  floor: int8("floor"),
  rebuilding: boolean("rebuilding").notNull()
})

export const configuration = pgTable("configuration", {
  id: boolean("id").primaryKey(),
  committed: text("committed"),
  proposed: text("proposed")
})

export const checkpoint = pgTable("checkpoint", {
  id: boolean("id").primaryKey(),
  zxid: int8("zxid"),
  digest: int8("digest"),
  writtenAt: timestamp("written_at", { withTimezone: true }).notNull(),
  sessions: integer("sessions"),
  znodes: bigint("znodes", { mode: "number" }),
  crc32: sum()
})

export const logBatch = pgTable("log_batch", {
  lastZxid: int8("last_zxid").primaryKey(),
  firstZxid: int8("first_zxid"),
  count: integer("count").notNull(),
  crc32: int8("crc32"),
  bytes: bytea("bytes").notNull()
})

export const znodes = pgTable("znodes", {
  path: text("path").notNull(),
  data: bytea("data"),
  acl: jsonb("acl").$type<ReadonlyArray<Acl>>().notNull(),
  czxid: int8("czxid"),
  mzxid: int8("mzxid"),
  pzxid: int8("pzxid"),
  ctime: int8("ctime"),
  mtime: int8("mtime"),
  version: integer("version").notNull(),
  cversion: integer("cversion").notNull(),
  aversion: integer("aversion").notNull(),
  ephemeralOwner: int8("ephemeral_owner"),
  kind: text("kind", { enum: ["persistent", "ephemeral", "container", "ttl"] }).notNull(),
  ttlMs: int8("ttl_ms"),
  crc32: sum()
})

export const sessions = pgTable("sessions", {
  id: int8("id").primaryKey(),
  password: bytea("password").notNull(),
  timeoutMs: integer("timeout_ms").notNull(),
  peer: integer("peer").notNull(),
  connection: int8("connection"),
  seq: int8("seq"),
  token: int8("token"),
  crc32: sum()
})

/** A row per transaction. */
export const log = pgView("log", {
  zxid: int8("zxid"),
  zxidHex: text("zxid_hex").notNull(),
  time: timestamp("time", { withTimezone: true }).notNull(),
  type: text("type").notNull(),
  path: text("path"),
  error: integer("error"),
  session: int8("session"),
  sessionHex: text("session_hex").notNull(),
  seq: int8("seq"),
  cxid: integer("cxid").notNull(),
  body: bytea("body").notNull(),
  batch: int8("batch")
}).existing()
