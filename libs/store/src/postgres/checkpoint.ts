/** The checkpoint tables: read whole as one state, changed by a delta, replaced by a snapshot. */
import type { SessionRecord } from "@zkmesh/messages"
import type { Zxid } from "@zkmesh/numbers"
import { hex } from "@zkmesh/numbers"
import { CorruptSnapshot, SnapshotReader, SnapshotWriter } from "../snapshot.ts"
import type { CheckpointDelta, StoredNode } from "../store.ts"
import { StoreError } from "../store.ts"
import type { AclToJson } from "./acl.ts"
import type { Connection, Row } from "./connection.ts"
import type { CopyIn, CopyOut } from "./copy.ts"
import {
  COPY_NODES_IN,
  COPY_NODES_OUT,
  COPY_SESSIONS_OUT,
  int8Array,
  NodeArrays,
  NodeRows,
  nodeReader,
  SessionArrays,
  sessionReader,
  textArray,
  UPSERT_NODES,
  UPSERT_SESSIONS
} from "./rows.ts"
import { CorruptRow, checkpointSum } from "./sums.ts"

/** A slice is encoded in one go, on the thread that serves clients: about a millisecond. */
const SLICE_ROWS = 500
const SLICE_BYTES = 1024 * 1024
/** Znodes read ahead of whoever takes them. */
const READ_AHEAD_ROWS = 2000
const READ_AHEAD_BYTES = 4 * 1024 * 1024

const SELECT_CHECKPOINT = "SELECT zxid, digest, sessions, znodes, crc32 FROM checkpoint"
const COUNT_SESSIONS = "SELECT count(*) FROM sessions"
const COUNT_NODES = "SELECT count(*) FROM znodes"
const SET_CHECKPOINT = {
  name: "set_checkpoint",
  text: "UPDATE checkpoint SET zxid = $1, digest = $2, sessions = $3, znodes = $4, crc32 = $5, written_at = clock_timestamp()"
}
const DELETE_NODES = {
  name: "delete_znodes",
  text: `WITH deleted AS (
           DELETE FROM znodes USING unnest($1::text[]) AS gone (path)
           WHERE path_key(znodes.path) = path_key(gone.path) RETURNING 1
         ) SELECT count(*) FROM deleted`
}
const DELETE_SESSIONS = { name: "delete_sessions", text: "DELETE FROM sessions WHERE id = ANY ($1::int8[])" }

/** The checkpoint in one consistent state, znodes streamed. Owns its connection, and closes it at the end. */
export class CheckpointReader {
  readonly zxid: Zxid
  readonly digest: number
  readonly sessions: ReadonlyArray<SessionRecord>
  private readonly connection: Connection
  private copy: CopyOut | undefined
  private ready: Array<StoredNode> = []
  private size = 0
  private finished = false
  private failure: unknown
  /** How many there have to be; undefined: older checkpoints do not say. */
  private readonly expected: number | undefined
  private found = 0
  private wake: (() => void) | undefined

  private constructor(connection: Connection, row: Row, sessions: ReadonlyArray<SessionRecord>) {
    this.connection = connection
    this.zxid = Number(row[0])
    this.digest = Number(row[1])
    this.expected = countOf(row[3])
    this.sessions = sessions
  }

  static async open(connection: Connection): Promise<CheckpointReader> {
    await connection.query("BEGIN ISOLATION LEVEL REPEATABLE READ")
    const [row] = await connection.query(SELECT_CHECKPOINT)
    if (row === undefined) throw connection.failed("load", new CorruptRow("checkpoint", "", "there is none"))
    const sessions: SessionRecord[] = []
    await connection.copyOut(
      COPY_SESSIONS_OUT,
      sessionReader((record) => sessions.push(record))
    ).done
    const problem = problemOf(row, sessions.length)
    if (problem !== undefined) throw connection.failed("load", problem)
    return new CheckpointReader(connection, row, sessions)
  }

  /** The next znodes; undefined at the end. */
  async next(): Promise<ReadonlyArray<StoredNode> | undefined> {
    this.copy ??= this.start()
    while (this.ready.length === 0 && !this.finished) {
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
    if (this.failure !== undefined) throw this.failure
    if (this.ready.length === 0) {
      await this.close()
      const { expected, found } = this
      if (expected !== undefined && expected !== found) {
        const why = `it is of ${expected} znodes, but the table has ${found}`
        throw this.connection.failed("load", new CorruptRow("checkpoint", hex(this.zxid), why))
      }
      return undefined
    }
    const nodes = this.ready
    this.ready = []
    this.size = 0
    this.copy.resume()
    return nodes
  }

  close(): Promise<void> {
    return this.connection.close()
  }

  private start(): CopyOut {
    const read = nodeReader((node) => {
      this.found++
      this.ready.push(node)
      this.size += node.path.length + (node.data?.length ?? 0)
    })
    const copy = this.connection.copyOut(COPY_NODES_OUT, (message) => {
      read(message)
      if (this.ready.length >= READ_AHEAD_ROWS || this.size >= READ_AHEAD_BYTES) copy.pause()
      // The rows of one read of the socket come in one turn: hand them over together.
      if (this.wake !== undefined) queueMicrotask(() => this.awake())
    })
    copy.done.then(
      () => this.end(undefined),
      (error: unknown) => this.end(error)
    )
    return copy
  }

  private end(failure: unknown): void {
    this.failure = failure
    this.finished = true
    this.awake()
  }

  private awake(): void {
    const { wake } = this
    this.wake = undefined
    wake?.()
  }
}

const countOf = (value: string | null | undefined): number | undefined =>
  value === null || value === undefined ? undefined : Number(value)

/** What is wrong with the checkpoint's own row, or with the number of sessions; older ones say nothing of either. */
const problemOf = ([zxid, digest, count, znodes, sum]: Row, found: number): CorruptRow | undefined => {
  if (sum === null) return undefined
  if (checkpointSum(Number(zxid), Number(digest), Number(count), Number(znodes)) !== Number(sum)) {
    return new CorruptRow("checkpoint", hex(Number(zxid)), "its checksum is wrong")
  }
  if (found === Number(count)) return undefined
  return new CorruptRow("checkpoint", hex(Number(zxid)), `it is of ${count} sessions, but the table has ${found}`)
}

/** Cuts the checkpoint into a SNAP's chunks: `next` gives one, and undefined after the last. */
export class SnapshotSource {
  private readonly reader: CheckpointReader
  private readonly writer: SnapshotWriter
  private chunks: Array<Uint8Array> = []
  private finished = false

  constructor(reader: CheckpointReader) {
    this.reader = reader
    this.writer = new SnapshotWriter(reader.zxid, reader.digest)
    for (const record of reader.sessions) this.writer.session(record)
  }

  async next(): Promise<Uint8Array | undefined> {
    while (this.chunks.length === 0 && !this.finished) {
      const nodes = await this.reader.next()
      if (nodes === undefined) {
        this.writer.finish()
        this.finished = true
      } else {
        for (const node of nodes) this.writer.node(node)
      }
      this.chunks = [...this.writer.take()]
    }
    return this.chunks.shift()
  }
}

/** Moves the checkpoint on, in one database transaction. */
export const moveCheckpoint = (connection: Connection, acls: AclToJson, delta: CheckpointDelta): Promise<void> =>
  connection.transaction(async () => {
    const [row] = await connection.run(`${SELECT_CHECKPOINT} FOR UPDATE`)
    if (Number(row?.[0]) !== delta.from) {
      const found = hex(Number(row?.[0]))
      throw new StoreError({
        operation: "checkpoint",
        message: `${connection.target}: it builds on ${hex(delta.from)}, but the database's checkpoint is ${found}`
      })
    }
    let gone = 0
    await inSlices(delta.deleted, async (paths) => {
      gone += Number((await connection.run(DELETE_NODES, [textArray(paths)]))[0]?.[0])
    })
    const added = await upsertNodes(connection, acls, delta.upserted)
    await inSlices(delta.closedSessions, (ids) => connection.run(DELETE_SESSIONS, [int8Array(ids)]))
    await inSlices(delta.sessions, (records) => upsertSessions(connection, records))
    const before = countOf(row?.[3])
    // The first time they are all counted; then their number follows the change, as the cost does.
    const znodes = before === undefined ? Number((await connection.run(COUNT_NODES))[0]?.[0]) : before + added - gone
    await connection.run(SET_CHECKPOINT, await ownRow(connection, delta.to, delta.digest, znodes))
  })

const ownRow = async (
  connection: Connection,
  zxid: Zxid,
  digest: number,
  znodes: number
): Promise<ReadonlyArray<number>> => {
  const [row] = await connection.run(COUNT_SESSIONS)
  const sessions = Number(row?.[0])
  return [zxid, digest, sessions, znodes, checkpointSum(zxid, digest, sessions, znodes)]
}

const inSlices = async <A>(items: Iterable<A>, use: (slice: ReadonlyArray<A>) => Promise<unknown>): Promise<void> => {
  let slice: A[] = []
  for (const item of items) {
    slice.push(item)
    if (slice.length < SLICE_ROWS) continue
    await use(slice)
    slice = []
  }
  if (slice.length > 0) await use(slice)
}

/** Encodes a slice while the server works on the one before. Returns how many of them are new. */
const upsertNodes = async (connection: Connection, acls: AclToJson, nodes: Iterable<StoredNode>): Promise<number> => {
  let added = 0
  let running: Promise<unknown> = Promise.resolve()
  let slice = new NodeArrays(acls)
  const send = async () => {
    await running
    running = connection.run(UPSERT_NODES, slice.finish()).then(([row]) => {
      added += Number(row?.[0])
    })
    // It is awaited with the next slice; until then its failure is nobody's.
    running.catch(() => undefined)
    slice = new NodeArrays(acls)
  }
  for (const node of nodes) {
    slice.add(node)
    if (slice.count >= SLICE_ROWS || slice.size >= SLICE_BYTES) await send()
  }
  if (slice.count > 0) await send()
  await running
  return added
}

const upsertSessions = (connection: Connection, records: ReadonlyArray<SessionRecord>) => {
  const slice = new SessionArrays()
  for (const record of records) slice.add(record)
  return connection.run(UPSERT_SESSIONS, slice.finish())
}

/** Replaces the checkpoint and the log by a snapshot: everything in one transaction, of which `commit` is the end. */
export class CheckpointRestore {
  private readonly connection: Connection
  private readonly zxid: Zxid
  private readonly reader = new SnapshotReader()
  private readonly rows = new NodeRows()
  private readonly sessions = [] as SessionRecord[]
  private znodes = 0
  private readonly copy: CopyIn

  private constructor(connection: Connection, zxid: Zxid) {
    this.connection = connection
    this.zxid = zxid
    this.copy = connection.copyIn(COPY_NODES_IN)
  }

  static async begin(connection: Connection, zxid: Zxid): Promise<CheckpointRestore> {
    await connection.query("BEGIN")
    // The row first, as a checkpoint does: one of the two waits for the other, never each for the other.
    await connection.query(`${SELECT_CHECKPOINT} FOR UPDATE`)
    // TRUNCATE would be faster, but it waits for everybody who reads, and empties the table under those who came before.
    for (const table of ["znodes", "sessions", "log_batch"]) await connection.query(`DELETE FROM ${table}`)
    return new CheckpointRestore(connection, zxid)
  }

  async write(chunk: Uint8Array): Promise<void> {
    const part = this.checked(() => this.reader.read(chunk))
    for (const record of part.sessions) this.sessions.push(record)
    for (const node of part.nodes) this.rows.add(node)
    this.znodes += part.nodes.length
    if (part.nodes.length > 0) await this.copy.write(this.rows.take())
  }

  async commit(): Promise<void> {
    const { connection, reader, zxid } = this
    this.checked(() => {
      if (!reader.finished) throw new CorruptSnapshot("the snapshot is not complete")
      if (reader.zxid !== zxid) throw new CorruptSnapshot(`the snapshot is of another zxid than ${hex(zxid)}`)
    })
    await this.copy.finish()
    await inSlices(this.sessions, (records) => upsertSessions(connection, records))
    await connection.query("UPDATE epochs SET floor = $1", [zxid])
    // It was in the log that is no more.
    await connection.query("UPDATE configuration SET proposed = NULL")
    await connection.query(SET_CHECKPOINT, await ownRow(connection, zxid, reader.digest, this.znodes))
    await connection.query("COMMIT")
  }

  private checked<A>(use: () => A): A {
    try {
      return use()
    } catch (cause) {
      if (!(cause instanceof CorruptSnapshot)) throw cause
      throw new StoreError({ operation: "restore", message: `${this.connection.target}: ${cause.message}`, cause })
    }
  }
}
