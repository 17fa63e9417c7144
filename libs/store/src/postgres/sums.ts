/** Checksums of the checkpoint's rows: of what a row means, whatever form Postgres keeps it in. */
import { crc32 } from "node:zlib"
import type { SessionRecord } from "@zkmesh/messages"
import type { Zxid } from "@zkmesh/numbers"
import type { StoredNode } from "../store.ts"
import type { AclToJson } from "./acl.ts"

const KINDS: ReadonlyArray<StoredNode["kind"]> = ["persistent", "ephemeral", "container", "ttl"]
const NUMBERS = 14

/** A row's numbers are summed as doubles in one go, with the lengths of what varies; then what varies. */
export class RowSums {
  private readonly numbers = new DataView(new ArrayBuffer(NUMBERS * 8))
  private readonly bytes = new Uint8Array(this.numbers.buffer)
  private at = 0
  private readonly acls: AclToJson
  private readonly aclSums = new WeakMap<StoredNode["acl"], number>()

  constructor(acls: AclToJson) {
    this.acls = acls
  }

  node(node: StoredNode): number {
    const { path, data } = node
    this.at = 0
    this.add(path.length)
    this.add(data === null ? -1 : data.length)
    this.add(this.acl(node.acl))
    this.add(node.czxid)
    this.add(node.mzxid)
    this.add(node.pzxid)
    this.add(node.ctime)
    this.add(node.mtime)
    this.add(node.version)
    this.add(node.cversion)
    this.add(node.aversion)
    this.add(node.ephemeralOwner)
    this.add(KINDS.indexOf(node.kind))
    this.add(node.ttlMs)
    const sum = crc32(path, this.sum())
    return data === null ? sum : crc32(data, sum)
  }

  session(record: SessionRecord): number {
    this.at = 0
    this.add(record.id)
    this.add(record.timeoutMs)
    this.add(record.peer)
    this.add(record.connection)
    this.add(record.seq)
    this.add(record.token)
    return crc32(record.password, this.sum())
  }

  private add(value: number): void {
    this.numbers.setFloat64(this.at, value)
    this.at += 8
  }

  private sum(): number {
    return crc32(this.at === this.bytes.length ? this.bytes : this.bytes.subarray(0, this.at))
  }

  /** A tree has few different ACLs. */
  private acl(acl: StoredNode["acl"]): number {
    let sum = this.aclSums.get(acl)
    if (sum === undefined) {
      sum = crc32(this.acls.json(acl))
      this.aclSums.set(acl, sum)
    }
    return sum
  }
}

/** Of the checkpoint's own row. With how many sessions and znodes there are: a row that is gone leaves no checksum behind. */
export const checkpointSum = (zxid: Zxid, digest: number, sessions: number, znodes: number): number =>
  crc32(`${zxid} ${digest} ${sessions} ${znodes}`)

/** A row that does not have the checksum that it was written with. */
export class CorruptRow extends Error {
  override readonly name = "CorruptRow"

  constructor(table: string, row: string, why: string) {
    super(`${table} row ${row} is corrupt: ${why}`)
  }
}
