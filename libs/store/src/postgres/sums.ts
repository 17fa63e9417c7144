/** Checksums of the checkpoint's rows: of what a row means, whatever form Postgres keeps it in. */
import { crc32 } from "node:zlib"
import type { SessionRecord } from "@zkmesh/messages"
import type { Zxid } from "@zkmesh/numbers"
import type { StoredNode } from "../store.ts"
import type { AclToJson } from "./acl.ts"
import { BinaryWriter } from "./binary.ts"

export class RowSums {
  private readonly row = new BinaryWriter()
  private readonly acls: AclToJson

  constructor(acls: AclToJson) {
    this.acls = acls
  }

  node(node: StoredNode): number {
    const { row } = this
    row.at = 0
    row.text(node.path)
    row.bytea(node.data)
    row.text(this.acls.json(node.acl))
    row.int8(node.czxid)
    row.int8(node.mzxid)
    row.int8(node.pzxid)
    row.int8(node.ctime)
    row.int8(node.mtime)
    row.int4(node.version)
    row.int4(node.cversion)
    row.int4(node.aversion)
    row.int8(node.ephemeralOwner)
    row.text(node.kind)
    row.int8(node.ttlMs)
    return crc32(row.bytes())
  }

  session(record: SessionRecord): number {
    const { row } = this
    row.at = 0
    row.int8(record.id)
    row.bytea(record.password)
    row.int4(record.timeoutMs)
    row.int4(record.peer)
    row.int8(record.connection)
    row.int8(record.seq)
    row.int8(record.token)
    return crc32(row.bytes())
  }
}

/** Of the checkpoint's own row. `sessions`: how many there are, for a row that is gone leaves no checksum behind. */
export const checkpointSum = (zxid: Zxid, digest: number, sessions: number): number =>
  crc32(`${zxid} ${digest} ${sessions}`)

/** A row that does not have the checksum that it was written with. */
export class CorruptRow extends Error {
  override readonly name = "CorruptRow"

  constructor(table: string, row: string, why: string) {
    super(`${table} row ${row} is corrupt: ${why}`)
  }
}
