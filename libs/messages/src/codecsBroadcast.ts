/** Between broadcast and its own znode, a learner and its leader, and the fan-out. */
import type { ByteReader, ByteWriter } from "@zkmesh/bus"
import type { Sid } from "@zkmesh/numbers"
import type {
  BroadcastToZnode,
  FanOut,
  LeaderToLearner,
  LearnerToLeader,
  TreeDigest,
  ZnodeToBroadcast
} from "./broadcast.ts"
import { type Form, makeCodec, readBatch, readBoolean, writeBatch, writeBoolean } from "./codecs.ts"
import { readTxnTraces, withTraces, writeTxnTraces } from "./codecsTrace.ts"

const writeDigest = (digest: TreeDigest | undefined, writer: ByteWriter): void => {
  writeBoolean(digest !== undefined, writer)
  if (digest === undefined) return
  writer.f64(digest.zxid)
  writer.f64(digest.digest)
}

const readDigest = (reader: ByteReader): TreeDigest | undefined =>
  readBoolean(reader) ? { zxid: reader.f64(), digest: reader.f64() } : undefined

/** On the wire, for peers whose number or names are not told. */
const MANY = -1

const readWaiter = (reader: ByteReader): Sid | undefined => {
  const waiter = reader.f64()
  return waiter === MANY ? undefined : waiter
}

const writeSids = (sids: ReadonlyArray<Sid> | undefined, writer: ByteWriter): void => {
  writer.u32(sids?.length ?? 0)
  if (sids !== undefined) for (const sid of sids) writer.f64(sid)
}

const readSids = (reader: ByteReader): ReadonlyArray<Sid> => {
  const count = reader.u32()
  return count === 0 ? NOBODY : Array.from({ length: count }, () => reader.f64())
}

const NOBODY: ReadonlyArray<Sid> = []

const withSpared = (spared: ReadonlyArray<Sid>) => (spared.length === 0 ? {} : { spared })

const preparedBatch: Form<Extract<ZnodeToBroadcast, { _tag: "Propose" }>> = {
  code: 1,
  write: (message, writer) => {
    writer.f64(message.epoch)
    writeBatch(message.batch, writer)
    writer.f64(message.waiter ?? MANY)
    writeTxnTraces(message.traces, writer)
  },
  read: (reader) => ({
    _tag: "Propose",
    epoch: reader.f64(),
    batch: readBatch(reader),
    waiter: readWaiter(reader),
    ...withTraces(readTxnTraces(reader))
  })
}

const appliedUpTo: Form<Extract<ZnodeToBroadcast, { _tag: "Applied" }>> = {
  code: 2,
  write: (message, writer) => {
    writer.f64(message.zxid)
    writeDigest(message.digest, writer)
  },
  read: (reader) => ({ _tag: "Applied", zxid: reader.f64(), digest: readDigest(reader) })
}

const committed: Form<Extract<BroadcastToZnode, { _tag: "Committed" }>> = {
  code: 1,
  write: (message, writer) => {
    writeBatch(message.batch, writer)
    writeTxnTraces(message.traces, writer)
  },
  read: (reader) => ({ _tag: "Committed", batch: readBatch(reader), ...withTraces(readTxnTraces(reader)) })
}

const ack: Form<Extract<LearnerToLeader, { _tag: "Ack" }>> = {
  code: 1,
  write: (message, writer) => writer.f64(message.zxid),
  read: (reader) => ({ _tag: "Ack", zxid: reader.f64() })
}

const syncAck: Form<Extract<LearnerToLeader, { _tag: "SyncAck" }>> = {
  code: 2,
  write: (message, writer) => writer.f64(message.bytes),
  read: (reader) => ({ _tag: "SyncAck", bytes: reader.f64() })
}

const sync: Form<Extract<LeaderToLearner, { _tag: "Sync" }>> = {
  code: 1,
  write: (message, writer) => writeBatch(message.batch, writer),
  read: (reader) => ({ _tag: "Sync", batch: readBatch(reader) })
}

const snapChunk: Form<Extract<LeaderToLearner, { _tag: "SnapChunk" }>> = {
  code: 2,
  write: (message, writer) => {
    writer.bytes(message.bytes)
    writeBoolean(message.last, writer)
  },
  read: (reader) => ({ _tag: "SnapChunk", bytes: reader.bytes(), last: readBoolean(reader) })
}

const proposal: Form<Extract<FanOut, { _tag: "Propose" }>> = {
  code: 1,
  write: (message, writer) => {
    writer.f64(message.leader)
    writer.f64(message.epoch)
    writer.f64(message.previous)
    writer.f64(message.committed)
    writeBatch(message.batch, writer)
    writeSids(message.spared, writer)
    writeTxnTraces(message.traces, writer)
  },
  read: (reader) => ({
    _tag: "Propose",
    leader: reader.f64(),
    epoch: reader.f64(),
    previous: reader.f64(),
    committed: reader.f64(),
    batch: readBatch(reader),
    ...withSpared(readSids(reader)),
    ...withTraces(readTxnTraces(reader))
  })
}

const commit: Form<Extract<FanOut, { _tag: "Commit" }>> = {
  code: 2,
  write: (message, writer) => {
    writer.f64(message.leader)
    writer.f64(message.epoch)
    writer.f64(message.zxid)
    writeDigest(message.digest, writer)
  },
  read: (reader) => ({
    _tag: "Commit",
    leader: reader.f64(),
    epoch: reader.f64(),
    zxid: reader.f64(),
    digest: readDigest(reader)
  })
}

const suffices: Form<Extract<LeaderToLearner, { _tag: "Suffices" }>> = {
  code: 3,
  write: (message, writer) => writer.f64(message.zxid),
  read: (reader) => ({ _tag: "Suffices", zxid: reader.f64() })
}

export const znodeToBroadcast = makeCodec<ZnodeToBroadcast>({ Propose: preparedBatch, Applied: appliedUpTo })
export const broadcastToZnode = makeCodec<BroadcastToZnode>({ Committed: committed })
export const learnerToLeader = makeCodec<LearnerToLeader>({ Ack: ack, SyncAck: syncAck })
export const leaderToLearner = makeCodec<LeaderToLearner>({ Sync: sync, SnapChunk: snapChunk, Suffices: suffices })
export const fanOut = makeCodec<FanOut>({ Propose: proposal, Commit: commit })
