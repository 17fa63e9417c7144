/** A leader's tree without any service around it: requests go in as bytes, as from a client, and so do replies come out. */
import assert from "node:assert/strict"
import { type AppliedTxn, ClientRequest, type Identity, WriteRequest } from "@zkmesh/messages"
import type { SessionId, Zxid } from "@zkmesh/numbers"
import {
  CreateMode,
  JuteReader,
  JuteWriter,
  type MultiResult,
  type MultiWrite,
  OpCode,
  type ReceivedMultiResult,
  type ReceivedStat,
  type RequestedAcl,
  readMultiResponse,
  readStat,
  writeCreateRequest,
  writeCreateTTLRequest,
  writeMultiRequest,
  writeSetACLRequest,
  writeSetDataRequest,
  writeVersionedPathRequest,
  writeWatchedPathRequest,
  Xid
} from "@zkmesh/protocol"
import { EntryReader, type TxnBatch } from "@zkmesh/txn"
import {
  Applier,
  OPEN_ACL,
  Preparer,
  type PreparerOptions,
  ReadBatch,
  type ReadResults,
  type Traffic,
  Tree,
  type Verdict
} from "../src/index.ts"

export type { MultiResult }
export const EPOCH = 1
export const PEER = 1
export const IP: Identity = [{ scheme: "ip", id: "127.0.0.1" }]

export const text = (value: string): Uint8Array => Buffer.from(value)

export interface Reply {
  readonly xid: number
  readonly zxid: Zxid
  readonly err: number
  readonly body: JuteReader
}

/** A frame as a client reads it. */
export const readReply = (frame: Uint8Array): Reply => {
  const reader = new JuteReader(frame)
  assert.equal(reader.int(), frame.length - 4, "the frame's length")
  return { xid: reader.int(), zxid: reader.long(), err: reader.int(), body: reader }
}

/** The replies of a batch of reads, notifications among them left out: `frames` is how many frames each slice has. */
export const slices = (results: ReadResults): Array<Uint8Array> =>
  results.ends.map((end, i) => results.buffer.subarray(i === 0 ? 0 : results.ends[i - 1]!, end))

export class World {
  readonly tree: Tree
  readonly preparer: Preparer
  readonly applier: Applier
  readonly batches: Array<TxnBatch> = []
  readonly traffic: Traffic | undefined
  now = 1_700_000_000_000
  private nextToken = 1

  constructor(options: Partial<PreparerOptions> & { readonly tree?: Tree } = {}) {
    this.tree = options.tree ?? new Tree()
    this.preparer = new Preparer(this.tree, {
      ...options,
      extendedTypes: options.extendedTypes ?? false,
      enforceQuota: options.enforceQuota ?? false,
      reconfigEnabled: options.reconfigEnabled ?? false
    })
    this.traffic = options.traffic
    this.applier = new Applier(this.tree, PEER, undefined, options.traffic)
    this.preparer.lead(EPOCH)
  }

  /** Applies everything prepared so far. */
  apply(): Array<AppliedTxn> {
    const batch = this.preparer.take()
    if (batch === undefined) return []
    this.batches.push(batch)
    const applied = applyBatch(this.applier, batch)
    this.preparer.applied(this.tree.zxid)
    return applied
  }

  open(options: { peer?: number; timeoutMs?: number; lastZxidSeen?: number; token?: number } = {}): Client {
    const token = options.token ?? this.nextToken++
    const verdict = this.preparer.open(
      {
        _tag: "Open",
        session: 0,
        password: new Uint8Array(16).fill(token),
        timeoutMs: options.timeoutMs ?? 30_000,
        lastZxidSeen: options.lastZxidSeen ?? 0,
        peer: options.peer ?? PEER,
        token
      },
      this.now
    )
    assert.equal(verdict, "prepared")
    const id = this.preparer.last
    return new Client(this, id, id)
  }

  /** A session whose creation has been applied. */
  client(): Client {
    const client = this.open()
    this.apply()
    return client
  }
}

export const applyBatch = (applier: Applier, batch: TxnBatch): Array<AppliedTxn> => {
  const applied: Array<AppliedTxn> = []
  const entries = new EntryReader(batch.bytes)
  while (entries.next()) {
    const txn = applier.apply(entries)
    if (txn !== undefined) applied.push(txn)
  }
  return applied
}

export interface CreateOptions {
  readonly data?: Uint8Array | null
  readonly flags?: number
  readonly acl?: ReadonlyArray<RequestedAcl> | null
  readonly op?: number
  readonly ttl?: number
}

export class Client {
  readonly world: World
  readonly id: SessionId
  connection: Zxid
  seq = 0
  identity: Identity = IP

  constructor(world: World, id: SessionId, connection: Zxid) {
    this.world = world
    this.id = id
    this.connection = connection
  }

  request(op: number, write: (writer: JuteWriter) => void): WriteRequest {
    const writer = new JuteWriter()
    // Requests share memory with others: nothing may rely on starting at 0.
    writer.int(-7)
    write(writer)
    const end = writer.length
    writer.int(-7)
    const bytes = writer.take()
    const seq = ++this.seq
    return new WriteRequest(this.id, this.connection, seq, 100 + seq, op, this.identity, bytes, 4, end)
  }

  /** Prepares only: the change is in flight. */
  send(op: number, write: (writer: JuteWriter) => void): Verdict {
    return this.world.preparer.prepare(this.request(op, write), this.world.now)
  }

  /** Prepares, applies, and returns what the client is told, and what everybody is. */
  run(op: number, write: (writer: JuteWriter) => void): Reply & { readonly txn: AppliedTxn } {
    assert.equal(this.send(op, write), "prepared")
    const txn = this.world.apply().at(-1)
    assert(txn?.reply !== undefined, "the request is answered")
    const reply = readReply(txn.reply)
    assert.equal(reply.xid, 100 + this.seq)
    assert.equal(reply.zxid, this.world.tree.zxid)
    if (reply.err !== 0) assert.equal(reply.body.remaining, 0, "a failed reply has no body")
    return { ...reply, txn }
  }

  create(path: string, options: CreateOptions = {}): number {
    return this.run(options.op ?? OpCode.create, writeCreate(path, options)).err
  }

  /** The path that came of it. */
  createOk(path: string, options: CreateOptions = {}): string {
    const reply = this.run(options.op ?? OpCode.create, writeCreate(path, options))
    assert.equal(reply.err, 0)
    return reply.body.string()
  }

  sendCreate(path: string, options: CreateOptions = {}): Verdict {
    return this.send(options.op ?? OpCode.create, writeCreate(path, options))
  }

  delete(path: string, version = -1): number {
    return this.run(OpCode.delete, (w) => writeVersionedPathRequest(w, { path, version })).err
  }

  setData(path: string, data: Uint8Array | null, version = -1): Reply {
    return this.run(OpCode.setData, (w) => writeSetDataRequest(w, { path, data, version }))
  }

  setAcl(path: string, acl: ReadonlyArray<RequestedAcl>, version = -1): Reply {
    return this.run(OpCode.setACL, (w) => writeSetACLRequest(w, { path, acl, version }))
  }

  multi(ops: ReadonlyArray<MultiWrite>): Array<ReceivedMultiResult> {
    const reply = this.run(OpCode.multi, (w) => writeMultiRequest(w, ops))
    assert.equal(reply.err, 0)
    const results = readMultiResponse(reply.body)
    assert.equal(reply.body.remaining, 0)
    return results
  }

  read(op: number, write: (writer: JuteWriter) => void): Reply & { readonly watches: ReadResults["watches"] } {
    const writer = new JuteWriter()
    writer.int(-7)
    write(writer)
    const end = writer.length
    writer.int(-7)
    const reads = new ReadBatch(this.world.tree, this.world.traffic)
    reads.read(new ClientRequest(1, 55, op, writer.take(), 4, end), this.identity, this.id)
    const results = reads.take()
    assert.deepEqual(results.ends, [results.buffer.length])
    const reply = readReply(results.buffer)
    assert.equal(reply.xid, op === OpCode.ping ? Xid.ping : 55)
    return { ...reply, watches: results.watches }
  }

  stat(path: string): ReceivedStat {
    const reply = this.read(OpCode.exists, (w) => writeWatchedPathRequest(w, { path, watch: false }))
    assert.equal(reply.err, 0, `${path} is there`)
    return readStat(reply.body)
  }

  exists(path: string): boolean {
    return this.world.tree.nodes.findPath(path) !== 0
  }

  children(path: string): Array<string> {
    const reply = this.read(OpCode.getChildren, (w) => writeWatchedPathRequest(w, { path, watch: false }))
    assert.equal(reply.err, 0)
    return reply.body.ustrings().sort()
  }
}

export const writeCreate =
  (path: string, options: CreateOptions) =>
  (writer: JuteWriter): void => {
    const data = options.data === undefined ? text("") : options.data
    const acl = options.acl === undefined ? OPEN_ACL : options.acl
    const request = { path, data, acl, flags: options.flags ?? CreateMode.PERSISTENT }
    if (options.op === OpCode.createTTL) writeCreateTTLRequest(writer, { ...request, ttl: options.ttl ?? 0 })
    else writeCreateRequest(writer, request)
  }
