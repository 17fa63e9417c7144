/** A znode's core without its shell: what it is told, and everything that it has ever owed. */
import {
  type AppliedTxn,
  type BroadcastToZnode,
  ClientRequest,
  type RoleChange,
  type SessionToPrepare,
  WriteRequest,
  type ZnodeToBroadcast,
  type ZnodeToSession
} from "@zkmesh/messages"
import { type SessionId, zxid } from "@zkmesh/numbers"
import { JuteWriter, OpCode } from "@zkmesh/protocol"
import type { CheckpointDelta } from "@zkmesh/store"
import type { TxnBatch } from "@zkmesh/txn"
import { Tree, ZnodeCore, type ZnodeInput, type ZnodeOptions, type ZnodeOutput } from "../src/index.ts"
import { IP, text, World, writeCreate } from "./world.ts"

const OPTIONS: ZnodeOptions = {
  sid: 1,
  snapCount: 1000,
  checkpointIntervalMs: 1000,
  extendedTypes: false,
  containerCheckIntervalMs: 60_000,
  containerMaxPerCheck: 100,
  proposalWindowBytes: 100_000
}
export const role = (role: RoleChange["role"], epoch: number): RoleChange => ({
  _tag: "Role",
  role,
  epoch,
  leader: role === "looking" ? 0 : role === "leading" ? 1 : 2
})

/** A core, and what it has ever owed. */
export class Peer {
  readonly core: ZnodeCore
  now = 0
  toBroadcast: Array<ZnodeToBroadcast> = []
  readonly streams = new Map<string, Array<ZnodeToSession>>()
  readonly prepares = new Map<string, Array<unknown>>()
  broken: Array<string> = []
  checkpoints: Array<CheckpointDelta> = []
  reloads = 0

  constructor(options: Partial<ZnodeOptions> = {}, tree = new Tree()) {
    this.core = new ZnodeCore({ ...OPTIONS, ...options }, tree)
  }

  step(...inputs: ReadonlyArray<ZnodeInput>): ZnodeOutput {
    for (const input of inputs) this.core.step(input, { nowMs: this.now, wallMs: 1_700_000_000_000 + this.now })
    const output = this.core.take()
    this.toBroadcast.push(...output.toBroadcast)
    for (const { link, messages } of output.toStreams) {
      this.streams.set(link, [...(this.streams.get(link) ?? []), ...messages])
    }
    for (const { link, messages } of output.toPrepare) {
      this.prepares.set(link, [...(this.prepares.get(link) ?? []), ...messages])
    }
    for (const { link } of output.breaks) this.broken.push(link)
    if (output.checkpoint !== undefined) this.checkpoints.push(output.checkpoint)
    if (output.reload) this.reloads++
    return output
  }

  hear(...messages: ReadonlyArray<BroadcastToZnode>): ZnodeOutput {
    return this.step({ _tag: "FromBroadcast", messages })
  }

  ask(link: string, ...messages: ReadonlyArray<SessionToPrepare>): ZnodeOutput {
    return this.step({ _tag: "FromPrepare", link, messages })
  }

  /** Commits whatever it has proposed. */
  commitAll(): void {
    for (let batches = this.takeProposals(); batches.length > 0; batches = this.takeProposals()) {
      this.hear(...batches.map((batch) => ({ _tag: "Committed", batch }) as const))
    }
  }

  takeProposals(): Array<TxnBatch> {
    const proposals = this.toBroadcast.filter((message) => message._tag === "Propose")
    this.toBroadcast = this.toBroadcast.filter((message) => message._tag !== "Propose")
    return proposals.map((proposal) => proposal.batch)
  }

  /** Leads epoch 1, with a stream and a prepare link. */
  lead(): this {
    this.step({ _tag: "BroadcastOpened" }, { _tag: "StreamOpened", link: "s" }, { _tag: "PrepareOpened", link: "p" })
    this.hear(role("leading", 1))
    this.ask("p", { _tag: "Hello", peer: 1, epoch: 1 })
    return this
  }

  applied(link = "s"): Array<AppliedTxn> {
    return (this.streams.get(link) ?? []).flatMap((message) => (message._tag === "Applied" ? message.txns : []))
  }
}

export const open = (token: number): SessionToPrepare => ({
  _tag: "Open",
  session: 0,
  password: new Uint8Array(16),
  timeoutMs: 1000,
  lastZxidSeen: 0,
  peer: 1,
  token
})
export const create = (
  session: SessionId,
  seq: number,
  path: string,
  data = text(""),
  flags: number = 0,
  op: number = OpCode.create
): WriteRequest => {
  const writer = new JuteWriter()
  writeCreate(path, { data, flags })(writer)
  const bytes = writer.take()
  return new WriteRequest(session, session, seq, seq, op, IP, bytes, 0, bytes.length)
}
export const remove = (session: SessionId, seq: number, path: string): WriteRequest => {
  const writer = new JuteWriter()
  writer.ustring(path)
  writer.int(-1)
  const bytes = writer.take()
  return new WriteRequest(session, session, seq, seq, OpCode.delete, IP, bytes, 0, bytes.length)
}
export const reads = (session: SessionId, ...paths: ReadonlyArray<string>) => {
  const requests = paths.map((path, xid) => {
    const writer = new JuteWriter()
    writer.ustring(path)
    writer.bool(false)
    const bytes = writer.take()
    return new ClientRequest(1, xid, OpCode.exists, bytes, 0, bytes.length)
  })
  return { _tag: "Reads", requests, identities: paths.map(() => IP), sessions: paths.map(() => session) } as const
}
export const SESSION = zxid(1, 1)
/** `count` creates, as a leader elsewhere would have them committed. */
export const history = (count: number): World => {
  const world = new World()
  const client = world.client()
  for (let i = 0; i < count; i++) client.createOk(`/n${i}`)
  return world
}
export const committed = (world: World): Array<BroadcastToZnode> =>
  world.batches.map((batch) => ({ _tag: "Committed", batch }) as const)
