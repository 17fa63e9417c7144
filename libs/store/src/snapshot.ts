/**
 * A checkpoint on its way from one peer's store to another's (SNAP): one byte stream whatever the two stores are.
 *
 * | part    | form                                                                                     |
 * | ------- | ---------------------------------------------------------------------------------------- |
 * | header  | "ZKMSNAP1", zxid f64, digest f64                                                         |
 * | records | kind u8 (1 session, 2 znode), size u32, payload                                          |
 * | end     | kind u8 (0), size u32 (12), sessions u32, znodes u32, CRC-32 of everything before it u32 |
 *
 * The stream is cut into chunks of 256 KiB wherever that falls, so a chunk always fits a message of the bus.
 */
import { crc32 } from "node:zlib"
import type { SessionRecord } from "@zkmesh/messages"
import type { Zxid } from "@zkmesh/numbers"
import { hex } from "@zkmesh/numbers"
import type { StoredNode } from "./store.ts"

export const SNAPSHOT_CHUNK = 256 * 1024
const MAGIC = Buffer.from("ZKMSNAP1", "latin1")
const HEADER = MAGIC.length + 16
const RECORD_HEADER = 5
/** No record of ours comes near it; a size beyond it is a corrupt stream, not a reason to wait for more. */
const MAX_RECORD = 256 * 1024 * 1024
const KIND = { end: 0, session: 1, node: 2 } as const
const NODE_KINDS: ReadonlyArray<StoredNode["kind"]> = ["persistent", "ephemeral", "container", "ttl"]

export class CorruptSnapshot extends Error {
  override readonly name = "CorruptSnapshot"
}

/** Turns records into chunks. Take the chunks as they become full; the last one comes after `finish`. */
export class SnapshotWriter {
  private buffer: Buffer = Buffer.allocUnsafe(2 * SNAPSHOT_CHUNK)
  private at = 0
  private crc = 0
  private sessions = 0
  private nodes = 0
  private full: Array<Uint8Array> = []

  constructor(zxid: Zxid, digest: number) {
    this.at = MAGIC.copy(this.buffer)
    this.f64(zxid)
    this.f64(digest)
  }

  session(record: SessionRecord): void {
    const start = this.begin(KIND.session)
    this.f64(record.id)
    this.bytes(record.password)
    this.i32(record.timeoutMs)
    this.i32(record.peer)
    this.f64(record.connection)
    this.f64(record.seq)
    this.f64(record.token)
    this.end(start)
    this.sessions++
  }

  node(node: StoredNode): void {
    const start = this.begin(KIND.node)
    this.string(node.path)
    this.bytes(node.data)
    this.i32(node.acl.length)
    for (const entry of node.acl) {
      this.i32(entry.perms)
      this.string(entry.id.scheme)
      this.string(entry.id.id)
    }
    for (const value of [node.czxid, node.mzxid, node.pzxid, node.ctime, node.mtime]) this.f64(value)
    for (const value of [node.version, node.cversion, node.aversion]) this.i32(value)
    this.f64(node.ephemeralOwner)
    this.i32(NODE_KINDS.indexOf(node.kind))
    this.f64(node.ttlMs)
    this.end(start)
    this.nodes++
  }

  /** Seals the stream: what is left comes out as the last chunk. */
  finish(): void {
    this.crc = crc32(this.buffer.subarray(0, this.at), this.crc)
    const tail = Buffer.allocUnsafe(RECORD_HEADER + 12)
    tail.writeUInt8(KIND.end, 0)
    tail.writeUInt32BE(12, 1)
    tail.writeUInt32BE(this.sessions, 5)
    tail.writeUInt32BE(this.nodes, 9)
    tail.writeUInt32BE(this.crc, 13)
    this.full.push(Buffer.concat([this.buffer.subarray(0, this.at), tail]))
    this.at = 0
  }

  /** The chunks that are full by now. */
  take(): ReadonlyArray<Uint8Array> {
    if (this.full.length === 0) return this.full
    const chunks = this.full
    this.full = []
    return chunks
  }

  private begin(kind: number): number {
    this.reserve(RECORD_HEADER)
    const start = this.at
    this.buffer.writeUInt8(kind, start)
    this.at += RECORD_HEADER
    return start
  }

  private end(start: number): void {
    this.buffer.writeUInt32BE(this.at - start - RECORD_HEADER, start + 1)
    if (this.at < SNAPSHOT_CHUNK) return
    let from = 0
    for (; this.at - from >= SNAPSHOT_CHUNK; from += SNAPSHOT_CHUNK) {
      this.full.push(Uint8Array.prototype.slice.call(this.buffer, from, from + SNAPSHOT_CHUNK))
    }
    this.crc = crc32(this.buffer.subarray(0, from), this.crc)
    this.buffer.copyWithin(0, from, this.at)
    this.at -= from
  }

  private reserve(size: number): void {
    if (this.at + size <= this.buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.at + size))
    this.buffer.copy(larger, 0, 0, this.at)
    this.buffer = larger
  }

  private i32(value: number): void {
    this.reserve(4)
    this.at = this.buffer.writeInt32BE(value, this.at)
  }

  private f64(value: number): void {
    this.reserve(8)
    this.at = this.buffer.writeDoubleBE(value, this.at)
  }

  private bytes(value: Uint8Array | null): void {
    this.i32(value === null ? -1 : value.length)
    if (value === null) return
    this.reserve(value.length)
    this.buffer.set(value, this.at)
    this.at += value.length
  }

  private string(value: string): void {
    const size = Buffer.byteLength(value)
    this.i32(size)
    this.reserve(size)
    this.at += this.buffer.write(value, this.at, "utf8")
  }
}

/** What a chunk completed. */
export interface SnapshotPart {
  readonly sessions: ReadonlyArray<SessionRecord>
  readonly nodes: ReadonlyArray<StoredNode>
}

/** Takes chunks, cut anywhere, and gives the records that they complete. Throws CorruptSnapshot. */
export class SnapshotReader {
  zxid: Zxid | undefined
  digest = 0
  finished = false
  private rest: Buffer = Buffer.alloc(0)
  private crc = 0
  private sessions = 0
  private nodes = 0

  read(chunk: Uint8Array): SnapshotPart {
    if (this.finished) throw new CorruptSnapshot("bytes follow the snapshot's end")
    const incoming = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    const buffer = this.rest.length === 0 ? incoming : Buffer.concat([this.rest, incoming])
    const part = { sessions: [] as SessionRecord[], nodes: [] as StoredNode[] }
    let at = 0
    if (this.zxid === undefined) {
      if (buffer.length < HEADER) return this.keep(buffer, 0, part)
      if (!buffer.subarray(0, MAGIC.length).equals(MAGIC)) throw new CorruptSnapshot("this is no snapshot of zkmesh")
      this.zxid = buffer.readDoubleBE(MAGIC.length)
      this.digest = buffer.readDoubleBE(MAGIC.length + 8)
      at = HEADER
    }
    while (at + RECORD_HEADER <= buffer.length) {
      const size = buffer.readUInt32BE(at + 1)
      if (size > MAX_RECORD) throw new CorruptSnapshot(`a record of ${size} bytes`)
      const end = at + RECORD_HEADER + size
      if (end > buffer.length) break
      if (this.record(buffer, at, end, part)) {
        if (end !== buffer.length) throw new CorruptSnapshot("bytes follow the snapshot's end")
        this.finished = true
        return part
      }
      at = end
    }
    return this.keep(buffer, at, part)
  }

  private keep(buffer: Buffer, at: number, part: SnapshotPart): SnapshotPart {
    this.crc = crc32(buffer.subarray(0, at), this.crc)
    this.rest = Buffer.from(buffer.subarray(at))
    return part
  }

  /** True at the end record. */
  private record(
    buffer: Buffer,
    start: number,
    end: number,
    part: { sessions: Array<SessionRecord>; nodes: Array<StoredNode> }
  ): boolean {
    const fields = new Fields(buffer, start + RECORD_HEADER, end)
    const kind = buffer.readUInt8(start)
    if (kind === KIND.session) {
      part.sessions.push(readSession(fields))
      this.sessions++
    } else if (kind === KIND.node) {
      part.nodes.push(readNode(fields))
      this.nodes++
    } else if (kind === KIND.end) {
      if (fields.u32() !== this.sessions || fields.u32() !== this.nodes) {
        throw new CorruptSnapshot("it does not hold as many records as its end says")
      }
      if (fields.u32() !== crc32(buffer.subarray(0, start), this.crc))
        throw new CorruptSnapshot("its checksum is wrong")
    } else {
      throw new CorruptSnapshot(`a record of unknown kind ${kind}`)
    }
    fields.done()
    return kind === KIND.end
  }
}

const readSession = (fields: Fields): SessionRecord => {
  const id = fields.f64()
  const password = fields.bytes()
  if (password === null) throw new CorruptSnapshot(`session ${hex(id)} has no password`)
  const timeoutMs = fields.i32()
  const peer = fields.i32()
  return { id, password, timeoutMs, peer, connection: fields.f64(), seq: fields.f64(), token: fields.f64() }
}

const readNode = (fields: Fields): StoredNode => {
  const path = fields.string()
  const data = fields.bytes()
  const acl = Array.from({ length: fields.i32() }, () => ({
    perms: fields.i32(),
    id: { scheme: fields.string(), id: fields.string() }
  }))
  const [czxid, mzxid, pzxid, ctime, mtime] = [fields.f64(), fields.f64(), fields.f64(), fields.f64(), fields.f64()]
  const [version, cversion, aversion] = [fields.i32(), fields.i32(), fields.i32()]
  const ephemeralOwner = fields.f64()
  const kind = NODE_KINDS[fields.i32()]
  if (kind === undefined) throw new CorruptSnapshot(`${path} is of an unknown kind`)
  const ttlMs = fields.f64()
  return {
    path,
    data,
    acl,
    czxid,
    mzxid,
    pzxid,
    ctime,
    mtime,
    version,
    cversion,
    aversion,
    ephemeralOwner,
    kind,
    ttlMs
  }
}

/** A record's fields, one after the other; running over its end is a corrupt record. */
class Fields {
  private readonly buffer: Buffer
  private at: number
  private readonly limit: number

  constructor(buffer: Buffer, at: number, limit: number) {
    this.buffer = buffer
    this.at = at
    this.limit = limit
  }

  u32(): number {
    return this.buffer.readUInt32BE(this.advance(4))
  }
  i32(): number {
    return this.buffer.readInt32BE(this.advance(4))
  }
  f64(): number {
    return this.buffer.readDoubleBE(this.advance(8))
  }
  /** A copy: a record outlives the chunk that it came in. */
  bytes(): Uint8Array | null {
    const size = this.i32()
    if (size === -1) return null
    const start = this.advance(size)
    return Uint8Array.prototype.slice.call(this.buffer, start, start + size)
  }
  string(): string {
    const size = this.i32()
    const start = this.advance(size)
    return this.buffer.toString("utf8", start, start + size)
  }
  done(): void {
    if (this.at !== this.limit) throw new CorruptSnapshot("a record is longer than its fields")
  }

  private advance(size: number): number {
    const start = this.at
    if (size < 0 || start + size > this.limit) throw new CorruptSnapshot("a record is shorter than its fields")
    this.at += size
    return start
  }
}
