/** What a server says, frame by frame, as values that can be compared; nothing is hidden yet. */
import { createHash } from "node:crypto"
import { Reader, type Stat } from "../recorder/wire.ts"
import { Op } from "./requests.ts"

export type Value = string | number | boolean | bigint | null | Stat | ReadonlyArray<Value> | { [name: string]: Value }

export interface Reply {
  readonly kind: "reply"
  /** What it answers, as far as anybody asked. */
  readonly op: number
  readonly xid: number
  readonly zxid: number
  readonly error: number
  readonly body: { [name: string]: Value }
}

export interface WatchEvent {
  readonly kind: "event"
  readonly zxid: number
  readonly error: number
  readonly type: number
  readonly state: number
  readonly path: string | null
}

/** A frame that nobody has asked for. */
export interface Stray {
  readonly kind: "stray"
  readonly bytes: number
}

export type Received = Reply | WatchEvent | Stray | { readonly kind: "closed" }

const NOTIFICATION = -1
/** Longer values are shown by their hash. */
const LONG = 2000
const PRINTABLE = /^[\x20-\x7e\n\u00a0-\ud7ff]*$/

class Fields extends Reader {
  /** Null is told from empty, and what is no text is shown as its bytes. */
  data(): string | null {
    const bytes = this.nullable()
    if (bytes === null) return null
    if (bytes.length > LONG) return `${bytes.length} bytes, ${createHash("sha1").update(bytes).digest("hex")}`
    const text = bytes.toString("utf8")
    return PRINTABLE.test(text) ? text : `0x${bytes.toString("hex")}`
  }

  names(): ReadonlyArray<string | null> | null {
    const count = this.int()
    return count < 0 ? null : Array.from({ length: count }, () => this.data())
  }

  /** Sorted: their order says nothing. */
  sorted(): ReadonlyArray<string | null> | null {
    return this.names()?.toSorted() ?? null
  }

  acls(): Value {
    const count = this.int()
    if (count < 0) return null
    return Array.from({ length: count }, () => ({ perms: this.int(), scheme: this.data(), id: this.data() }))
  }
}

/** Reads one frame; `asked` gives the opcode of the oldest request by that xid that has no answer yet. */
export const read = (bytes: Buffer, asked: (xid: number) => number | undefined): Received => {
  const fields = new Fields(bytes)
  const [xid, zxid, error] = [fields.int(), fields.exact(), fields.int()]
  if (xid === NOTIFICATION) {
    return { kind: "event", zxid, error, type: fields.int(), state: fields.int(), path: fields.data() }
  }
  const op = asked(xid)
  if (op === undefined) return { kind: "stray", bytes: bytes.length }
  const body = error === 0 ? bodyOf(op, fields) : {}
  const rest = fields.rest()
  if (rest.length > 0) body["more"] = `0x${rest.toString("hex")}`
  return { kind: "reply", op, xid, zxid, error, body }
}

const bodyOf = (op: number, fields: Fields): { [name: string]: Value } => {
  switch (op) {
    case Op.create:
    case Op.sync:
      return { path: fields.data() }
    case Op.create2:
    case Op.createContainer:
    case Op.createTTL:
      return { path: fields.data(), stat: fields.stat() }
    case Op.exists:
    case Op.setData:
    case Op.setACL:
      return { stat: fields.stat() }
    case Op.getData:
    case Op.reconfig:
      return { data: fields.data(), stat: fields.stat() }
    case Op.getACL:
      return { acl: fields.acls(), stat: fields.stat() }
    case Op.getChildren:
    case Op.getEphemerals:
      return { names: fields.sorted() }
    case Op.getChildren2:
      return { names: fields.sorted(), stat: fields.stat() }
    case Op.getAllChildrenNumber:
      return { total: fields.int() }
    case Op.addWatch:
      return { err: fields.int() }
    case Op.sasl:
      return { token: fields.data() }
    case Op.whoAmI:
      return whoAmI(fields)
    case Op.multi:
    case Op.multiRead:
      return { results: results(fields) }
    default:
      return {}
  }
}

const whoAmI = (fields: Fields): { [name: string]: Value } => {
  const count = fields.int()
  const ids = Array.from({ length: Math.max(0, count) }, () => `${fields.data()}: ${fields.data()}`)
  return { ids: ids.toSorted() }
}

const results = (fields: Fields): ReadonlyArray<Value> => {
  const all: Array<Value> = []
  for (;;) {
    const header = { type: fields.int(), done: fields.bool(), err: fields.int() }
    if (header.done) return [...all, { ...header }]
    all.push({ ...header, ...(header.type === -1 ? { code: fields.int() } : bodyOf(header.type, fields)) })
  }
}
