/** Between broadcast and its own znode, a learner and its leader, and the fan-out. */
import type { ByteReader, ByteWriter } from "@zkmesh/bus"
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

const preparedBatch: Form<Extract<ZnodeToBroadcast, { _tag: "Propose" }>> = {
  code: 1,
  write: (message, writer) => {
    writer.f64(message.epoch)
    writeBatch(message.batch, writer)
    writeBoolean(message.patient === true, writer)
    writeTxnTraces(message.traces, writer)
  },
  read: (reader) => ({
    _tag: "Propose",
    epoch: reader.f64(),
    batch: readBatch(reader),
    patient: readBoolean(reader),
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
    writeBatch(message.batch, writer)
    writeTxnTraces(message.traces, writer)
  },
  read: (reader) => ({
    _tag: "Propose",
    leader: reader.f64(),
    epoch: reader.f64(),
    previous: reader.f64(),
    batch: readBatch(reader),
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

export const znodeToBroadcast = makeCodec<ZnodeToBroadcast>({ Propose: preparedBatch, Applied: appliedUpTo })
export const broadcastToZnode = makeCodec<BroadcastToZnode>({ Committed: committed })
export const learnerToLeader = makeCodec<LearnerToLeader>({ Ack: ack, SyncAck: syncAck })
export const leaderToLearner = makeCodec<LeaderToLearner>({ Sync: sync, SnapChunk: snapChunk })
export const fanOut = makeCodec<FanOut>({ Propose: proposal, Commit: commit })
