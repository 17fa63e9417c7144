/** A peer's core by hand: each step takes what happened and returns, in words, what the core owes. */

import { parseConfiguration } from "@zkmesh/membership"
import type { BroadcastToZnode, FanOut, LeaderToLearner, LearnerToLeader, ZnodeToBroadcast } from "@zkmesh/messages"
import { counterOf, epochOf, type Sid, type Zxid, zxid } from "@zkmesh/numbers"
import { type TxnBatch, writeEntryHeader } from "@zkmesh/txn"
import {
  type Input,
  type LinkId,
  type Output,
  Peer,
  type PeerConfig,
  type ReadOp,
  type RecoveredLog,
  type WriteOp
} from "@zkmesh/zab"

export const defaults: PeerConfig = {
  sid: 3,
  voters: [1, 2, 3],
  tickTimeMs: 1000,
  initLimit: 10,
  syncLimit: 5,
  logRetain: 0,
  windowBytes: 10_000,
  syncWindowBytes: 10_000,
  znodeWindowBytes: 10_000,
  readBytes: 10_000,
  appendBytes: 10_000,
  counterLimit: 0xffff_fffe
}

export const fresh: RecoveredLog = { acceptedEpoch: 0, currentEpoch: 0, checkpoint: 0, floor: 0, last: 0 }

/** Transactions epoch.from … epoch.to, with four bytes of body each. */
export const batch = (epoch: number, from: number, to = from): TxnBatch => {
  const count = to - from + 1
  const size = 44
  const bytes = new Uint8Array(count * size)
  const view = new DataView(bytes.buffer)
  for (let index = 0; index < count; index++) {
    const header = { zxid: zxid(epoch, from + index), session: 0, seq: 0, cxid: 0, time: 0, type: 1 }
    writeEntryHeader(view, index * size, (index + 1) * size, header)
  }
  return { first: zxid(epoch, from), last: zxid(epoch, to), count, bytes }
}

/** 2.7 is the seventh transaction of epoch 2. */
const z = (value: Zxid): string => `${epochOf(value)}.${counterOf(value)}`
const range = (txns: TxnBatch): string => (txns.count === 1 ? z(txns.first) : `${z(txns.first)}…${z(txns.last)}`)

const describe = (message: LeaderToLearner | LearnerToLeader | FanOut | BroadcastToZnode): string => {
  switch (message._tag) {
    case "FollowerInfo":
      return `FollowerInfo ${message.sid} accepted ${message.acceptedEpoch}`
    case "AckEpoch":
      return `AckEpoch ${message.currentEpoch} ${z(message.lastZxid)}${message.counts ? "" : " (not counted)"}`
    case "NewLeader":
      return `NewLeader ${message.epoch} ${z(message.last)}`
    case "LeaderInfo":
    case "AckNewLeader":
      return `${message._tag} ${message.epoch}`
    case "SyncAck":
      return `SyncAck ${message.bytes}`
    case "Diff":
      return `Diff after ${z(message.after)}`
    case "Trunc":
    case "Snap":
    case "Ack":
    case "Reload":
    case "Suffices":
      return `${message._tag} ${z(message.zxid)}`
    case "Commit":
      return `Commit ${z(message.zxid)}${message.digest === undefined ? "" : ` digest of ${z(message.digest.zxid)}`}`
    case "SnapChunk":
      return `SnapChunk ${message.bytes.length}${message.last ? " last" : ""}`
    case "Sync":
    case "Committed":
      return `${message._tag} ${range(message.batch)}`
    case "Propose":
      return `Propose ${range(message.batch)} after ${z(message.previous)}${riding(message)}`
    case "UpToDate":
      return `UpToDate ${z(message.committed)}`
    case "Role":
      return `${message.role} ${message.leader} in ${message.epoch}`
    case "Digest":
      return `Digest of ${z(message.digest.zxid)}`
    case "Synced":
      return `Synced ${message.sids.join(", ")}`
    case "Configuration":
      return `Configuration ${versionOf(message.text)}`
    case "NeedSnap":
    case "Stats":
      return message._tag
  }
}

const sparing = (sids: ReadonlyArray<Sid> | undefined): string =>
  sids === undefined || sids.length === 0 ? "" : `, sparing ${sids.join(", ")}`

const riding = ({ committed, spared }: Extract<FanOut, { _tag: "Propose" }>): string =>
  `${committed === 0 ? "" : `, ${z(committed)} is committed`}${sparing(spared)}`

const versionOf = (text: string | undefined): string =>
  text === undefined ? "none" : z(parseConfiguration(text).version)

const op = (value: WriteOp | ReadOp): string => {
  switch (value._tag) {
    case "Append":
      return `append ${range(value.batch)}`
    case "SetAcceptedEpoch":
    case "SetCurrentEpoch":
      return `${value._tag} ${value.epoch}`
    case "SetConfiguration": {
      const { committed, proposed } = value.membership
      return `SetConfiguration ${versionOf(committed)}${proposed === undefined ? "" : `, proposed ${versionOf(proposed)}`}`
    }
    case "Read":
      return `read after ${z(value.after)}`
    case "RestoreChunk":
      return `restore chunk ${value.bytes.length}`
    case "RestoreAbort":
      return "restore abort"
    case "SetRebuilt":
      return value._tag
    case "OpenSnapshot":
    case "ReadSnapshot":
    case "CloseSnapshot":
      return `${value._tag} for ${value.link}`
    default:
      return `${value._tag} ${z(value.zxid)}`
  }
}

const words = (output: Output): string => {
  switch (output._tag) {
    case "Write":
    case "Read":
      return `disk: ${op(output.op)}`
    case "Publish":
      return `all: ${describe(output.message)}`
    case "ToLearner":
      return `learner #${output.link}: ${describe(output.message)}`
    case "ToLeader":
      return `leader: ${describe(output.message)}`
    case "ToZnode":
      return `znode: ${describe(output.message)}`
    case "ToElection":
      if (output.message._tag === "Members") {
        const { committed, proposed } = output.message
        return `election: Members ${versionOf(committed)}${proposed === undefined ? "" : `, proposed ${versionOf(proposed)}`}`
      }
      if (output.message._tag === "Stop") return "election: Stop"
      return output.message._tag === "Look"
        ? `election: Look ${output.message.currentEpoch} ${z(output.message.zxid)}`
        : `election: Settled ${output.message.role} ${output.message.epoch}`
    case "DialLeader":
      return `dial ${output.leader}`
    case "BreakLearner":
      return `break learner #${output.link}: ${output.detail}`
    case "BreakLeader":
      return `break leader: ${output.detail}`
    case "BreakZnode":
      return `break znode: ${output.detail}`
    case "Linger":
      return `linger with the ${output.with}`
    case "Note":
      return `note: ${output.text}`
  }
}

export class Script {
  readonly peer: Peer
  now = 0
  private readonly writes: Array<WriteOp> = []
  private readonly reads: Array<ReadOp> = []
  private leaderLink: LinkId = 0
  private znodeLink: LinkId = 0

  constructor(config: Partial<PeerConfig> = {}, recovered: Partial<RecoveredLog> = {}) {
    this.peer = new Peer({ ...defaults, ...config }, { ...fresh, ...recovered })
  }

  /** One pass over these inputs. */
  pass(...inputs: ReadonlyArray<Input>): Array<string> {
    for (const input of inputs) this.peer.step(this.now, input)
    const outputs = this.peer.flush()
    for (const output of outputs) {
      if (output._tag === "Write") this.writes.push(output.op)
      if (output._tag === "Read" && output.op._tag !== "CloseSnapshot") this.reads.push(output.op)
      if (output._tag === "DialLeader") this.leaderLink = output.link
    }
    return outputs.map(words)
  }

  /** The election and the znode are there, and somebody is elected. */
  elect(leader: Sid, applied: Zxid = 0): Array<string> {
    this.pass({ _tag: "ElectionOpened" })
    this.hello(applied)
    return this.elected(leader)
  }
  elected(leader: Sid): Array<string> {
    return this.pass({ _tag: "FromElection", message: { _tag: "Elected", leader, round: 1 } })
  }
  hello(applied: Zxid = 0, checkpoint = applied): Array<string> {
    this.znodeLink++
    const hello = this.says({ _tag: "Hello", applied, checkpoint })
    return this.pass({ _tag: "ZnodeOpened", link: this.znodeLink }, hello)
  }
  private says(message: ZnodeToBroadcast): Input {
    return { _tag: "FromZnode", link: this.znodeLink, message }
  }
  znode(...messages: ReadonlyArray<ZnodeToBroadcast>): Array<string> {
    return this.pass(...messages.map((message) => this.says(message)))
  }
  znodeBreaks(): Array<string> {
    return this.pass({ _tag: "ZnodeBroken", link: this.znodeLink })
  }
  learnerOpens(link: LinkId): Array<string> {
    return this.pass({ _tag: "LearnerOpened", link })
  }
  learner(link: LinkId, ...messages: ReadonlyArray<LearnerToLeader>): Array<string> {
    return this.pass(...messages.map((message): Input => ({ _tag: "FromLearner", link, message })))
  }
  learnerBreaks(link: LinkId): Array<string> {
    return this.pass({ _tag: "LearnerBroken", link, detail: "dead" })
  }
  leaderOpens(): Array<string> {
    return this.pass({ _tag: "LeaderOpened", link: this.leaderLink })
  }
  leaderBreaks(): Array<string> {
    return this.pass({ _tag: "LeaderBroken", link: this.leaderLink, detail: "dead" })
  }
  leader(...messages: ReadonlyArray<LeaderToLearner>): Array<string> {
    return this.pass(...messages.map((message): Input => ({ _tag: "FromLeader", link: this.leaderLink, message })))
  }
  fanOut(...messages: ReadonlyArray<FanOut>): Array<string> {
    return this.pass(...messages.map((message): Input => ({ _tag: "FromFanOut", message })))
  }
  tick(ms: number): Array<string> {
    this.now += ms
    return this.pass({ _tag: "Tick" })
  }

  /** The oldest write has ended. */
  stored(kept?: Zxid): Array<string> {
    const done = this.writes.shift()!
    return this.pass(done._tag === "Truncate" ? { _tag: "Truncated", op: done, kept } : { _tag: "Stored", op: done })
  }
  /** The oldest read has ended. */
  found(at: Zxid | undefined): Array<string> {
    return this.pass({ _tag: "Found", op: this.reads.shift()!, zxid: at })
  }
  read(...batches: ReadonlyArray<TxnBatch>): Array<string> {
    return this.pass({ _tag: "Read", op: this.reads.shift()!, batches })
  }
  snapshotOpened(at: Zxid): Array<string> {
    return this.pass({ _tag: "SnapshotOpened", op: this.reads.shift()!, zxid: at })
  }
  snapshotRead(bytes: Uint8Array, last: boolean): Array<string> {
    return this.pass({ _tag: "SnapshotRead", op: this.reads.shift()!, bytes, last })
  }
  /** The oldest read takes longer than all the others. */
  readLater(): void {
    this.reads.push(this.reads.shift()!)
  }
  purged(floor: Zxid): Array<string> {
    return this.pass({ _tag: "Purged", op: this.reads.shift()!, floor })
  }

  /** Leading in the next epoch with learner #1 (server 1) synchronised, nothing outstanding. */
  lead(applied: Zxid = 0): void {
    this.elect(3, applied)
    this.join(1, 1)
  }
  join(link: LinkId, sid: Sid): void {
    const lastZxid = this.peer.lastLogged
    this.learnerOpens(link)
    this.learner(link, { _tag: "FollowerInfo", sid, acceptedEpoch: 0, observer: false })
    if (this.peer.phase === "discovery") this.stored()
    this.learner(link, { _tag: "AckEpoch", currentEpoch: 0, lastZxid, counts: true })
    if (this.peer.phase === "discovery") this.stored()
    this.learner(link, { _tag: "AckNewLeader", epoch: this.peer.epoch })
  }
  /** Following server 1 in `epoch`, everything up to its last logged zxid committed. */
  follow(epoch: number): void {
    const last = this.peer.lastLogged
    this.elect(1)
    this.leaderOpens()
    this.leader({ _tag: "LeaderInfo", epoch })
    this.stored()
    this.leader({ _tag: "Diff", after: last }, { _tag: "NewLeader", epoch, last })
    this.stored()
    this.leader({ _tag: "UpToDate", committed: last })
  }
}
