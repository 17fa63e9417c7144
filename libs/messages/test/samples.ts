/** Messages of every kind, drawn from a seed. */
import {
  type BroadcastToElection,
  type BroadcastToZnode,
  ClientRequest,
  type ElectionToBroadcast,
  type FanOut,
  type FrontendToSession,
  type Identity,
  type LeaderToLearner,
  type LearnerToLeader,
  type Notification,
  type PrepareToSession,
  type Role,
  type SessionRecord,
  type SessionToExpiry,
  type SessionToFrontend,
  type SessionToPrepare,
  type SessionToZnode,
  type Stats,
  type WatchMode,
  WriteRequest,
  type ZnodeToBroadcast,
  type ZnodeToSession
} from "@zkmesh/messages"
import type { TxnBatch } from "@zkmesh/txn"

/** A small generator of random numbers (mulberry32). */
export class Draw {
  private state: number

  constructor(seed: number) {
    this.state = seed
  }

  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * limit)
  }

  one<T>(...choices: ReadonlyArray<T>): T {
    return choices[this.below(choices.length)]!
  }

  boolean(): boolean {
    return this.below(2) === 1
  }

  list<T>(most: number, make: () => T): Array<T> {
    return Array.from({ length: this.below(most + 1) }, make)
  }

  maybe<T>(make: () => T): T | undefined {
    return this.boolean() ? make() : undefined
  }

  u32(): number {
    return this.one(0, 1, 0xffff_ffff, this.below(2 ** 32))
  }

  i32(): number {
    return this.one(-1, -(2 ** 31), 2 ** 31 - 1, this.below(2 ** 32) - 2 ** 31)
  }

  zxid(): number {
    return this.one(0, 1, Number.MAX_SAFE_INTEGER, this.below(2 ** 20) * 2 ** 32 + this.below(2 ** 32))
  }

  bytes(most = 100): Uint8Array {
    return Uint8Array.from(this.list(most, () => this.below(256)))
  }

  text(): string {
    return this.one("", "/a/b/c", "/ZK/łódź/日本/🦓", "/".padEnd(49, "x"), "é".repeat(30), "/long".repeat(200))
  }
}

const identity = (draw: Draw): Identity =>
  draw.list(3, () => ({ scheme: draw.one("ip", "digest", "sasl", ""), id: draw.text() }))

const request = (draw: Draw): ClientRequest => {
  const buffer = draw.bytes(200)
  const start = draw.below(buffer.length + 1)
  const end = start + draw.below(buffer.length - start + 1)
  return new ClientRequest(draw.zxid(), draw.i32(), draw.i32(), buffer, start, end)
}

const write = (draw: Draw, identities: ReadonlyArray<Identity>): WriteRequest => {
  const { buffer, start, end } = request(draw)
  const who = draw.one(...identities)
  return new WriteRequest(draw.zxid(), draw.zxid(), draw.u32(), draw.i32(), draw.i32(), who, buffer, start, end)
}

const batch = (draw: Draw): TxnBatch => ({
  first: draw.zxid(),
  last: draw.zxid(),
  count: draw.u32(),
  bytes: draw.bytes(2000)
})
const digest = (draw: Draw) => draw.maybe(() => ({ zxid: draw.zxid(), digest: draw.zxid() }))
const record = (draw: Draw): SessionRecord => ({
  id: draw.zxid(),
  password: draw.bytes(16),
  timeoutMs: draw.u32(),
  peer: draw.below(256),
  connection: draw.zxid(),
  seq: draw.u32(),
  token: draw.zxid()
})
const role = (draw: Draw) => ({
  _tag: "Role" as const,
  role: draw.one<Role>("looking", "leading", "following", "observing"),
  epoch: draw.u32(),
  leader: draw.below(256)
})
const stats = (draw: Draw): Stats => ({ count: draw.u32(), name: draw.text(), nested: { list: ["a", { b: true }, 1] } })

export const samples = {
  frontendToSession: (draw: Draw): ReadonlyArray<FrontendToSession> => [
    {
      _tag: "Connect",
      conn: draw.zxid(),
      sessionId: draw.zxid(),
      password: draw.bytes(16),
      timeoutMs: draw.u32(),
      lastZxidSeen: draw.zxid(),
      readOnly: draw.boolean(),
      identity: identity(draw),
      ...(draw.boolean() ? { resume: { connection: 1 + draw.zxid(), answered: draw.u32() } } : {})
    },
    { _tag: "Identify", conn: draw.zxid(), identity: identity(draw) },
    { _tag: "Requests", requests: draw.list(20, () => request(draw)) },
    { _tag: "Disconnected", conn: draw.zxid() },
    { _tag: "Query", id: draw.u32(), name: draw.one("stats", "watches", "sessions") }
  ],
  sessionToFrontend: (draw: Draw): ReadonlyArray<SessionToFrontend> => [
    { _tag: "Status", serving: draw.boolean(), role: "leading", epoch: draw.u32(), zxid: draw.zxid() },
    {
      _tag: "Connected",
      conn: draw.zxid(),
      sessionId: draw.zxid(),
      password: draw.bytes(16),
      timeoutMs: draw.u32(),
      readOnly: draw.boolean(),
      connection: draw.zxid()
    },
    { _tag: "Refused", conn: draw.zxid(), reason: draw.one("expired", "ahead", "notServing", "readOnly", "moved") },
    {
      _tag: "Replies",
      replies: draw.list(20, () => ({ conn: draw.zxid(), answers: draw.u32(), bytes: draw.bytes() }))
    },
    { _tag: "Close", conn: draw.zxid(), reason: draw.text() },
    { _tag: "Answer", id: draw.u32(), stats: stats(draw) }
  ],
  sessionToZnode: (draw: Draw): ReadonlyArray<SessionToZnode> => {
    const who = [identity(draw), identity(draw), identity(draw)]
    const requests = draw.list(20, () => request(draw))
    return [
      {
        _tag: "Reads",
        requests,
        identities: requests.map(() => draw.one(...who)),
        sessions: requests.map(() => draw.zxid())
      },
      {
        _tag: "ReadsAfter",
        requests,
        identities: requests.map(() => draw.one(...who)),
        sessions: requests.map(() => draw.zxid()),
        connections: requests.map(() => draw.zxid()),
        seqs: requests.map(() => draw.u32())
      },
      { _tag: "Query", id: draw.u32() }
    ]
  },
  znodeToSession: (draw: Draw): ReadonlyArray<ZnodeToSession> => {
    const frames = draw.list(10, () => draw.bytes())
    let end = 0
    const answers = {
      zxid: draw.zxid(),
      buffer: new Uint8Array(Buffer.concat(frames)),
      ends: frames.map((frame) => (end += frame.length)),
      watches: draw.maybe(() =>
        draw.list(5, () => ({
          index: draw.u32(),
          mode: draw.one<WatchMode>("data", "child", "persistent", "persistentRecursive"),
          path: draw.text()
        }))
      )
    }
    return [
      { _tag: "Hello", zxid: draw.zxid(), role: role(draw), sessions: draw.list(5, () => record(draw)) },
      role(draw),
      { _tag: "ReadReplies", ...answers },
      { _tag: "RepliesAfter", session: draw.zxid(), connection: draw.zxid(), ...answers },
      {
        _tag: "Applied",
        zxid: draw.zxid(),
        txns: draw.list(10, () => ({
          zxid: draw.zxid(),
          session: draw.zxid(),
          seq: draw.u32(),
          type: draw.i32(),
          reply: draw.maybe(() => draw.bytes()),
          events: draw.maybe(() =>
            draw.list(4, () => ({
              type: draw.one(1, 2, 3),
              path: draw.text(),
              ...(draw.boolean()
                ? {}
                : {
                    acl: [{ perms: draw.i32(), id: { scheme: "world", id: draw.text() } }],
                    parentAcl: draw.maybe(() => [])
                  })
            }))
          ),
          sessionChange: draw.one(
            undefined,
            { kind: "closed", id: draw.zxid() },
            {
              kind: draw.one("created", "attached"),
              record: record(draw)
            },
            {
              kind: "attached",
              record: record(draw),
              resumed: { logged: draw.u32(), replies: draw.maybe(() => draw.list(3, () => draw.bytes())) }
            }
          )
        }))
      },
      { _tag: "Answer", id: draw.u32(), stats: stats(draw) }
    ]
  },
  sessionToPrepare: (draw: Draw): ReadonlyArray<SessionToPrepare> => {
    const who = [identity(draw), identity(draw), identity(draw)]
    return [
      { _tag: "Hello", peer: draw.below(256), epoch: draw.u32() },
      { _tag: "Writes", requests: draw.list(20, () => write(draw, who)) },
      {
        _tag: "Open",
        session: draw.zxid(),
        password: draw.bytes(16),
        timeoutMs: draw.u32(),
        lastZxidSeen: draw.zxid(),
        peer: draw.below(256),
        token: draw.zxid()
      }
    ]
  },
  prepareToSession: (draw: Draw): ReadonlyArray<PrepareToSession> => [
    {
      _tag: "Rejected",
      token: draw.zxid(),
      session: draw.zxid(),
      connection: draw.zxid(),
      seq: draw.u32(),
      reason: draw.one("expired", "moved", "ahead", "malformed")
    }
  ],
  sessionToExpiry: (draw: Draw): ReadonlyArray<SessionToExpiry> => [
    { _tag: "Touch", sessions: draw.list(50, () => draw.zxid()) }
  ],
  znodeToBroadcast: (draw: Draw): ReadonlyArray<ZnodeToBroadcast> => [
    { _tag: "Hello", applied: draw.zxid(), checkpoint: draw.zxid() },
    { _tag: "Propose", epoch: draw.u32(), batch: batch(draw), waiter: draw.below(4) },
    { _tag: "Applied", zxid: draw.zxid(), digest: digest(draw) },
    { _tag: "Checkpointed", zxid: draw.zxid() },
    { _tag: "Reset" }
  ],
  broadcastToZnode: (draw: Draw): ReadonlyArray<BroadcastToZnode> => [
    role(draw),
    { _tag: "Committed", batch: batch(draw) },
    { _tag: "Digest", digest: { zxid: draw.zxid(), digest: draw.zxid() } },
    { _tag: "Reload", zxid: draw.zxid() },
    { _tag: "Stats", stats: stats(draw) }
  ],
  learnerToLeader: (draw: Draw): ReadonlyArray<LearnerToLeader> => [
    { _tag: "FollowerInfo", sid: draw.below(256), acceptedEpoch: draw.u32(), observer: draw.boolean() },
    { _tag: "AckEpoch", currentEpoch: draw.u32(), lastZxid: draw.zxid(), counts: draw.boolean() },
    { _tag: "NeedSnap" },
    { _tag: "SyncAck", bytes: draw.zxid() },
    { _tag: "AckNewLeader", epoch: draw.u32() },
    { _tag: "Ack", zxid: draw.zxid() }
  ],
  leaderToLearner: (draw: Draw): ReadonlyArray<LeaderToLearner> => [
    { _tag: "LeaderInfo", epoch: draw.u32() },
    { _tag: "Diff", after: draw.zxid() },
    { _tag: "Trunc", zxid: draw.zxid() },
    { _tag: "Snap", zxid: draw.zxid() },
    { _tag: "SnapChunk", bytes: draw.bytes(5000), last: draw.boolean() },
    { _tag: "Suffices", zxid: draw.zxid() },
    { _tag: "Sync", batch: batch(draw) },
    { _tag: "NewLeader", epoch: draw.u32(), last: draw.zxid() },
    { _tag: "UpToDate", committed: draw.zxid() }
  ],
  broadcastToElection: (draw: Draw): ReadonlyArray<BroadcastToElection> => [
    { _tag: "Look", zxid: draw.zxid(), currentEpoch: draw.u32() },
    { _tag: "Stop" },
    { _tag: "Settled", role: "following", epoch: draw.u32(), leader: draw.below(256) }
  ],
  electionToBroadcast: (draw: Draw): ReadonlyArray<ElectionToBroadcast> => [
    { _tag: "Elected", leader: draw.below(256), round: draw.u32() }
  ],
  fanOut: (draw: Draw): ReadonlyArray<FanOut> => [
    {
      _tag: "Propose",
      leader: draw.below(256),
      epoch: draw.u32(),
      previous: draw.zxid(),
      committed: draw.zxid(),
      batch: batch(draw)
    },
    { _tag: "Commit", leader: draw.below(256), epoch: draw.u32(), zxid: draw.zxid(), digest: digest(draw) }
  ],
  notification: (draw: Draw): ReadonlyArray<Notification> => [
    {
      _tag: "Notification",
      leader: draw.below(256),
      zxid: draw.zxid(),
      peerEpoch: draw.u32(),
      from: draw.below(256),
      to: draw.below(256),
      state: "looking",
      round: draw.u32()
    }
  ]
}
