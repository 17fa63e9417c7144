/** Znodes and sessions as rows, in Postgres's binary form. */
import type { SessionRecord } from "@zkmesh/messages"
import { hex } from "@zkmesh/numbers"
import type { StoredNode } from "../store.ts"
import { AclToJson, JsonToAcl } from "./acl.ts"
import { BinaryArray, BinaryWriter, OID, RowReader } from "./binary.ts"
import { CorruptRow, RowSums } from "./sums.ts"

/** In the order in which everything below reads and writes them. */
const NODE_COLUMNS = [
  ["path", "text"],
  ["data", "bytea"],
  ["acl", "jsonb"],
  ["czxid", "int8"],
  ["mzxid", "int8"],
  ["pzxid", "int8"],
  ["ctime", "int8"],
  ["mtime", "int8"],
  ["version", "int4"],
  ["cversion", "int4"],
  ["aversion", "int4"],
  ["ephemeral_owner", "int8"],
  ["kind", "text"],
  ["ttl_ms", "int8"],
  ["crc32", "int8"]
] as const

const SESSION_COLUMNS = [
  ["id", "int8"],
  ["password", "bytea"],
  ["timeout_ms", "int4"],
  ["peer", "int4"],
  ["connection", "int8"],
  ["seq", "int8"],
  ["token", "int8"],
  ["crc32", "int8"]
] as const

type Columns = ReadonlyArray<readonly [name: string, type: keyof typeof OID]>

const names = (columns: Columns) => columns.map(([name]) => name).join(", ")
const arrays = (columns: Columns) => columns.map(([, type], index) => `$${index + 1}::${type}[]`).join(", ")
const updates = (columns: Columns) =>
  columns
    .slice(1)
    .map(([name]) => `${name} = excluded.${name}`)
    .join(", ")
const upsert = (table: string, key: string, columns: Columns) =>
  `INSERT INTO ${table} (${names(columns)}) SELECT * FROM unnest(${arrays(columns)})
   ON CONFLICT (${key}) DO UPDATE SET ${updates(columns)}`

/** Gives how many are new: only a row that has replaced another has an xmax. */
export const UPSERT_NODES = {
  name: "upsert_znodes",
  text: `WITH written AS (${upsert("znodes", "path_key(path)", NODE_COLUMNS)} RETURNING xmax = 0 AS is_new)
         SELECT count(*) FILTER (WHERE is_new) FROM written`
}
export const UPSERT_SESSIONS = { name: "upsert_sessions", text: upsert("sessions", "id", SESSION_COLUMNS) }
export const COPY_NODES_OUT = `COPY (SELECT ${names(NODE_COLUMNS)} FROM znodes) TO STDOUT (FORMAT binary)`
export const COPY_SESSIONS_OUT = `COPY (SELECT ${names(SESSION_COLUMNS)} FROM sessions) TO STDOUT (FORMAT binary)`
export const COPY_NODES_IN = `COPY znodes (${names(NODE_COLUMNS)}) FROM STDIN (FORMAT binary)`

/** One array per column: the parameters of an upsert. */
class Arrays {
  count = 0
  /** Of the variable-length columns, so that a slice can be bounded. */
  size = 0
  protected readonly columns: ReadonlyArray<BinaryArray>

  constructor(columns: Columns) {
    this.columns = columns.map(([, type]) => new BinaryArray(OID[type]))
  }

  /** The array of a column, ready for its next element. */
  protected next(index: number): BinaryArray {
    return this.columns[index]!.element()
  }

  finish(): Array<Buffer> {
    return this.columns.map((column) => column.finish())
  }
}

export class NodeArrays extends Arrays {
  private readonly acls: AclToJson
  private readonly sums: RowSums

  constructor(acls: AclToJson) {
    super(NODE_COLUMNS)
    this.acls = acls
    this.sums = new RowSums(acls)
  }

  add(node: StoredNode): void {
    this.count++
    this.size += node.path.length + (node.data?.length ?? 0)
    this.next(0).text(node.path)
    this.next(1).bytea(node.data)
    this.next(2).jsonb(this.acls.json(node.acl))
    this.next(3).int8(node.czxid)
    this.next(4).int8(node.mzxid)
    this.next(5).int8(node.pzxid)
    this.next(6).int8(node.ctime)
    this.next(7).int8(node.mtime)
    this.next(8).int4(node.version)
    this.next(9).int4(node.cversion)
    this.next(10).int4(node.aversion)
    this.next(11).int8(node.ephemeralOwner)
    this.next(12).text(node.kind)
    this.next(13).int8(node.ttlMs)
    this.next(14).int8(this.sums.node(node))
  }
}

export class SessionArrays extends Arrays {
  private readonly sums = new RowSums(new AclToJson())

  constructor() {
    super(SESSION_COLUMNS)
  }

  add(record: SessionRecord): void {
    this.count++
    this.next(0).int8(record.id)
    this.next(1).bytea(record.password)
    this.next(2).int4(record.timeoutMs)
    this.next(3).int4(record.peer)
    this.next(4).int8(record.connection)
    this.next(5).int8(record.seq)
    this.next(6).int8(record.token)
    this.next(7).int8(this.sums.session(record))
  }
}

/** Paths of znodes, or ids of sessions, that are no more. */
export const textArray = (values: ReadonlyArray<string>): Buffer => {
  const array = new BinaryArray(OID.text)
  for (const value of values) array.element().text(value)
  return array.finish()
}

export const int8Array = (values: ReadonlyArray<number>): Buffer => {
  const array = new BinaryArray(OID.int8)
  for (const value of values) array.element().int8(value)
  return array.finish()
}

/** Rows for COPY FROM. */
export class NodeRows extends BinaryWriter {
  private readonly acls = new AclToJson()
  private readonly sums = new RowSums(this.acls)

  add(node: StoredNode): void {
    this.int16(NODE_COLUMNS.length)
    this.text(node.path)
    this.bytea(node.data)
    this.jsonb(this.acls.json(node.acl))
    this.int8(node.czxid)
    this.int8(node.mzxid)
    this.int8(node.pzxid)
    this.int8(node.ctime)
    this.int8(node.mtime)
    this.int4(node.version)
    this.int4(node.cversion)
    this.int4(node.aversion)
    this.int8(node.ephemeralOwner)
    this.text(node.kind)
    this.int8(node.ttlMs)
    this.int8(this.sums.node(node))
  }
}

const WRONG = "its checksum is wrong"

/** Turns the messages of COPY_NODES_OUT into znodes; throws CorruptRow. */
export const nodeReader = (take: (node: StoredNode) => void): ((message: Buffer) => void) => {
  const rows = new RowReader()
  const acls = new JsonToAcl()
  const sums = new RowSums(new AclToJson())
  return (message) => {
    rows.set(message)
    while (rows.next(NODE_COLUMNS.length)) {
      const node: StoredNode = {
        path: rows.text(),
        data: rows.bytea(),
        acl: acls.acl(rows.jsonb()),
        czxid: rows.int8(),
        mzxid: rows.int8(),
        pzxid: rows.int8(),
        ctime: rows.int8(),
        mtime: rows.int8(),
        version: rows.int4(),
        cversion: rows.int4(),
        aversion: rows.int4(),
        ephemeralOwner: rows.int8(),
        kind: rows.text() as StoredNode["kind"],
        ttlMs: rows.int8()
      }
      const sum = rows.int8OrNull()
      if (sum !== undefined && sum !== sums.node(node)) throw new CorruptRow("znodes", node.path, WRONG)
      take(node)
    }
  }
}

/** Turns the messages of COPY_SESSIONS_OUT into sessions; throws CorruptRow. */
export const sessionReader = (take: (record: SessionRecord) => void): ((message: Buffer) => void) => {
  const rows = new RowReader()
  const sums = new RowSums(new AclToJson())
  return (message) => {
    rows.set(message)
    while (rows.next(SESSION_COLUMNS.length)) {
      const record: SessionRecord = {
        id: rows.int8(),
        password: rows.bytea() ?? new Uint8Array(0),
        timeoutMs: rows.int4(),
        peer: rows.int4(),
        connection: rows.int8(),
        seq: rows.int8(),
        token: rows.int8()
      }
      const sum = rows.int8OrNull()
      if (sum !== undefined && sum !== sums.session(record)) throw new CorruptRow("sessions", hex(record.id), WRONG)
      take(record)
    }
  }
}
