/** The bug museum: each exhibit is the essence of a real bug, as a change of one place in the product's own source. */
import type { Fault } from "@zkmesh/simulator"

export interface Edit {
  readonly file: string
  /** Occurs exactly once in the file. */
  readonly fragment: string
  readonly replacement: string
}

export interface Exhibit {
  readonly name: string
  /** What goes wrong, and where it did. */
  readonly story: string
  readonly edits: ReadonlyArray<Edit>
  /** A seed that catches it, for a quick visit: the smallest that was found. */
  readonly seed: number
  /** The ensemble of that seed, where a small one is not enough. */
  readonly shape?: { readonly peers: number; readonly minutes: number }
  /** What has to happen for it, where chance would take long. */
  readonly faults?: ReadonlyArray<Fault>
}

/** Server 3 misses what the others commit; then the power goes, and it is the one with the highest id. */
const LEFT_BEHIND = (missesAt: number, powerCutAt: number): ReadonlyArray<Fault> => [
  { kind: "crash", at: missesAt, forMs: 10_000, unit: 2 },
  { kind: "power cut", at: powerCutAt, forMs: 300 }
]

/** A commit takes so long that much is in flight. */
const SLOW_DISKS: ReadonlyArray<Fault> = [0, 1, 2].map((peer) => ({
  kind: "slow disk",
  at: 300,
  forMs: 2700,
  peer,
  factor: 20
}))

export const exhibits: ReadonlyArray<Exhibit> = [
  {
    name: "ack before the commit",
    story: "a follower acknowledges a proposal that its disk does not have (ZOOKEEPER-4646, 4685)",
    edits: [
      {
        file: "libs/zab/src/learner.ts",
        fragment: "    state.accept(batch)\n    state.counters.proposed(batch.count, batch.bytes.length)",
        replacement:
          '    state.accept(batch)\n    this.tell({ _tag: "Ack", zxid: batch.last })\n    state.counters.proposed(batch.count, batch.bytes.length)'
      }
    ],
    seed: 1
  },
  {
    name: "leader counts itself at once",
    story: "the leader's own vote counts before its log is durable, so a commit needs one disk less than a quorum",
    edits: [
      {
        file: "libs/zab/src/voting.ts",
        fragment: "quorum.add(config.sid, log.durable)",
        replacement: "quorum.add(config.sid, log.last)"
      }
    ],
    seed: 2
  },
  {
    name: "commit without a quorum",
    story: "one voter too few is enough for a commit",
    edits: [
      {
        file: "libs/zab/src/leader.ts",
        fragment: "const reached = this.voting.reached()",
        replacement: "const reached = this.state.log.durable"
      }
    ],
    seed: 1
  },
  {
    name: "a word that does not suffice",
    story:
      "a learner is told that its own word is all that a quorum lacks before the leader has the proposal on its disk",
    edits: [
      {
        file: "libs/zab/src/leader.ts",
        fragment: "if (reached === undefined || reached < last) return",
        replacement: "if (reached === undefined) return"
      }
    ],
    seed: 1
  },
  {
    name: "epoch not persisted before ACKEPOCH",
    story: "a follower promises an epoch that it forgets in a crash, and promises it again to somebody else",
    edits: [
      {
        file: "libs/zab/src/learner.ts",
        fragment: 'this.waiting = state.write({ _tag: "SetAcceptedEpoch", epoch })',
        replacement: "this.ackEpoch(true)"
      }
    ],
    seed: 1
  },
  {
    name: "vote with the last committed",
    story: "ZOOKEEPER-2845: the vote names the last committed zxid and not the last logged one",
    edits: [
      {
        file: "libs/zab/src/peer.ts",
        fragment: '({ _tag: "Look", zxid: state.log.last, currentEpoch: state.currentEpoch } as const)',
        replacement: '({ _tag: "Look", zxid: state.committed, currentEpoch: state.currentEpoch } as const)'
      },
      {
        file: "libs/zab/src/leader.ts",
        fragment: "    if (isAhead) {",
        replacement: "    if (isAhead && lastZxid < 0) {"
      }
    ],
    seed: 3,
    shape: { peers: 3, minutes: 0.1 },
    faults: LEFT_BEHIND(450, 980)
  },
  {
    name: "NEWLEADER acknowledged before the history is durable",
    story: "ZOOKEEPER-3911: what a DIFF has brought is acknowledged while it is only in memory",
    edits: [
      {
        file: "libs/zab/src/learner.ts",
        fragment:
          'if (this.stage !== "joining" || this.waiting !== undefined || state.log.durable !== this.newLeaderLast) return',
        replacement: 'if (this.stage !== "joining" || this.waiting !== undefined) return'
      }
    ],
    seed: 11
  },
  {
    name: "truncation skipped",
    story: "ZOOKEEPER-1154: a learner keeps what it alone has logged, and says that it has been cut off",
    edits: [
      {
        file: "libs/zab/src/learner.ts",
        fragment: 'this.waiting = this.state.write({ _tag: "Truncate", zxid: message.zxid })',
        replacement:
          'this.stage = "standing"; this.tell({ _tag: "AckEpoch", currentEpoch: this.state.currentEpoch, lastZxid: message.zxid, counts: false })'
      },
      {
        file: "libs/zab/src/learner.ts",
        fragment: "if (message.after !== this.state.log.last) {",
        replacement: "if (message.after < 0) {"
      }
    ],
    seed: 21,
    shape: { peers: 5, minutes: 0.1 }
  },
  {
    name: "delivered before it is durable",
    story: "a peer applies, and answers, what its own disk does not have",
    edits: [
      {
        file: "libs/zab/src/state.ts",
        fragment: "return Math.min(this.committed, this.log.durable)",
        replacement: "return Math.min(this.committed, this.log.last)"
      }
    ],
    seed: 1
  },
  {
    name: "a role before its history",
    story: "a leader begins to prepare before it has applied what its epoch began with",
    edits: [
      {
        file: "libs/zab/src/feed.ts",
        fragment: "if (!this.roleSent && this.sent >= this.roleAt) this.tellRole()",
        replacement: "if (!this.roleSent) this.tellRole()"
      }
    ],
    seed: 4
  },
  {
    name: "watch registered before its read",
    story: "a watch set when the read is sent, not when it is answered, fires before its own reply",
    edits: [
      {
        file: "libs/session/src/core.ts",
        fragment: "        this.order.take(frontend, message.requests)",
        replacement: `        for (const { conn, op, buffer, start, end } of message.requests) {
          const reader = frontend.connections.get(conn)
          if (reader === undefined || (op !== 3 && op !== 4) || buffer[end - 1] !== 1) continue
          this.watchers.register(reader, Buffer.from(buffer.subarray(start + 4, end - 1)).toString(), "data")
        }
        this.order.take(frontend, message.requests)`
      }
    ],
    seed: 2
  },
  {
    name: "events after the answer",
    story: "a client is told of its own write before others' watches on it have fired",
    edits: [
      {
        file: "libs/session/src/stream.ts",
        fragment:
          "      if (txn.events !== undefined) for (const event of txn.events) this.core.watchers.fire(event, txn.zxid)\n",
        replacement: ""
      }
    ],
    seed: 1
  },
  {
    name: "expired without grace",
    story: "a new leader counts every session's silence from before its own election",
    edits: [
      {
        file: "libs/session/src/tracking.ts",
        fragment: "for (const [id, timeoutMs] of this.timeouts) this.tracker.add(id, timeoutMs, now)",
        replacement: "for (const [id] of this.timeouts) this.tracker.add(id, 0, now)"
      }
    ],
    seed: 4
  },
  {
    name: "a failed multi leaves its traces",
    story: "ZOOKEEPER-1624: what a failed multi had pending is not taken back",
    edits: [
      {
        file: "libs/tree/src/nodeops.ts",
        fragment: "      overlay.rollback()\n",
        replacement: "      overlay.commit()\n"
      }
    ],
    seed: 15
  },
  {
    name: "sequence numbers from the number of children",
    story: "a name is given twice once a child has been deleted",
    edits: [
      {
        file: "libs/tree/src/nodeops.ts",
        fragment: "path + sequenceSuffix(parent.creations)",
        replacement: "path + sequenceSuffix(parent.numChildren)"
      }
    ],
    seed: 1
  },
  {
    name: "reads overtake writes",
    story: "a client does not see what it has just written",
    edits: [
      {
        file: "libs/session/src/order.ts",
        fragment: "if (kind === READ && connection.pending.length === 0 && connection.live) {",
        replacement: "if (kind === READ && connection.live) {"
      }
    ],
    seed: 1
  },
  {
    name: "ephemerals outlive their session",
    story: "ZOOKEEPER-1367: a closed session leaves nodes behind that nobody ever deletes",
    edits: [
      {
        file: "libs/tree/src/prepare.ts",
        fragment: "this.ops.removeAll(this.overlay.ephemerals(id))",
        replacement: "this.ops.removeAll([])"
      }
    ],
    seed: 46,
    shape: { peers: 3, minutes: 0.1 }
  },
  {
    name: "a checkpoint without sessions",
    story: "ZOOKEEPER-3145: sessions are not where the checkpoint says they are, and are gone after a restart",
    edits: [
      {
        file: "libs/tree/src/sessions.ts",
        fragment: "const changed = Array.from(this.changed, (id) => ({ ...this.records.get(id)! }))",
        replacement: "const changed: Array<SessionRecord> = []"
      }
    ],
    seed: 4
  },
  {
    name: "watch fires twice",
    story: "a watch is not used up by its first event",
    edits: [
      {
        file: "libs/session/src/watchTable.ts",
        fragment: "if ((modes & oneShot) !== 0) this.setModes(record, modes & ~oneShot)",
        replacement: "if ((modes & oneShot) < 0) this.setModes(record, modes & ~oneShot)"
      }
    ],
    seed: 1
  },
  {
    name: "parents are not watched",
    story: "who watches children is not told of one that comes or goes",
    edits: [
      {
        file: "libs/session/src/watchers.ts",
        fragment: 'event.type !== EventType.NodeDataChanged && event.path !== "/"',
        replacement: 'event.type < 0 && event.path !== "/"'
      }
    ],
    seed: 1
  },
  {
    name: "what is in flight is forgotten",
    story: "a request is judged by the tree alone, without the changes that are on their way to it",
    edits: [
      {
        file: "libs/tree/src/prepare.ts",
        fragment: "    this.overlay.prune(zxid)",
        replacement: "    if (zxid > 0) this.overlay.clear()"
      }
    ],
    seed: 10
  },
  {
    name: "stale proposals from an old leader accepted",
    story: "a learner takes whatever proposal has the next zxid, as one does that only warns of an unexpected one",
    edits: [
      {
        file: "libs/zab/src/learner.ts",
        fragment: "if (message.leader !== this.leader || message.epoch !== this.epoch) return",
        replacement: "if (message.epoch < 0) return"
      },
      {
        file: "libs/zab/src/learner.ts",
        fragment: "    if (previous !== state.log.last) {",
        replacement: "    if (batch.first !== state.log.last + 1 && batch.first % 2 ** 32 !== 1) {"
      }
    ],
    seed: 1,
    faults: [{ kind: "stall", at: 900, forMs: 2000, owner: 2 }]
  },
  {
    name: "duplicate apply on retry",
    story: "a request that is sent again is prepared again, though it is in the log or on its way there",
    edits: [
      {
        file: "libs/tree/src/prepare.ts",
        fragment: 'if (request.seq <= session.seq) return "duplicate"',
        replacement: 'if (request.seq < 1) return "duplicate"'
      },
      {
        file: "libs/tree/src/prepare.ts",
        fragment: 'return request.seq === session.seq + 1 ? "prepared" : "gap"',
        replacement: 'return request.seq <= session.seq + 1 ? "prepared" : "gap"'
      }
    ],
    seed: 6,
    faults: [...SLOW_DISKS, { kind: "loss", at: 600, forMs: 2400, chance: 0.05 }]
  },
  {
    name: "a failover asks again for what the log has",
    story: "a frontend that goes on elsewhere with a client sends everything again that was not answered",
    edits: [
      {
        file: "services/frontend/src/carry/Carry.ts",
        fragment: "const due = logged - this.answeredWrites",
        replacement: "const due = Math.min(0, logged - this.answeredWrites)"
      }
    ],
    seed: 6
  },
  {
    name: "a hole in the fan-out goes unnoticed",
    story: "a proposal was lost, and the next one is logged after the one before it (ZOOKEEPER-2355)",
    edits: [
      {
        file: "libs/zab/src/learner.ts",
        fragment: "    if (previous !== state.log.last) {",
        replacement: "    if (previous < 0) {"
      }
    ],
    seed: 1,
    faults: [{ kind: "loss", at: 600, forMs: 2400, chance: 0.05 }]
  },
  {
    name: "a reconfiguration that the old ensemble alone agrees on",
    story: "what comes after it is committed without a quorum of those who are to decide from then on",
    edits: [
      {
        file: "libs/zab/src/voting.ts",
        fragment: "if (proposed === undefined || reached === undefined || reached < proposed.version) return reached",
        replacement: "if (proposed === undefined || proposedAfter >= 0) return reached"
      }
    ],
    seed: 2,
    shape: { peers: 3, minutes: 0.1 }
  },
  {
    name: "a peer that has lost its log votes",
    story: "its store was corrupt and is empty now, and it helps somebody to lead who lacks what it had acknowledged",
    edits: [
      {
        file: "libs/zab/src/state.ts",
        fragment: "this.isRebuilding = recovered.rebuilding === true",
        replacement: "this.isRebuilding = false"
      }
    ],
    seed: 1,
    faults: [
      { kind: "crash", at: 450, forMs: 900, unit: 1 },
      { kind: "crash", at: 1000, forMs: 10_000, unit: 0 },
      { kind: "rotten log", at: 1000, forMs: 150, peer: 2, place: 1, crash: 1 }
    ]
  }
]
