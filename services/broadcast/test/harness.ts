/** Peers of broadcast and election over one loopback bus and memory disks, each with a znode that only remembers. */
import { makeSupervisor, Supervisor } from "@zkmesh/actor"
import { Bus, Dialled, type LinkEvent, ownedBusLayer } from "@zkmesh/bus"
import {
  type BroadcastToZnode,
  commitProtocol,
  type RoleChange,
  type Stats,
  type ZnodeToBroadcast
} from "@zkmesh/messages"
import { CurrentMetrics, Registry } from "@zkmesh/metrics"
import { type Sid, type Zxid, zxid } from "@zkmesh/numbers"
import { runBroadcast } from "@zkmesh/service-broadcast"
import { runElection } from "@zkmesh/service-election"
import { type MemoryDatabase, memoryLayer, type StoredNode, type StoreError, TreeStore } from "@zkmesh/store"
import { ENTRY_HEADER, EntryReader, type TxnBatch, writeEntryHeader } from "@zkmesh/txn"
import { Effect, Exit, Scope } from "effect"

type Event = LinkEvent<BroadcastToZnode, ZnodeToBroadcast>

const looking: RoleChange = { _tag: "Role", role: "looking", epoch: 0, leader: 0 }

/** Told after every change of any znode. */
export class Changes {
  private waiting = new Set<() => void>()

  readonly happened = (): void => {
    for (const check of [...this.waiting]) check()
  }
  /** Waits, without a clock, until something is true. */
  readonly until = (what: string, isTrue: () => boolean): Effect.Effect<void> =>
    Effect.callback<void>((resume) => {
      const check = () => {
        if (!isTrue()) return
        this.waiting.delete(check)
        resume(Effect.void)
      }
      this.waiting.add(check)
      check()
      return Effect.sync(() => void this.waiting.delete(check))
    }).pipe(
      Effect.timeoutOption("8 seconds"),
      Effect.flatMap((outcome) => (outcome._tag === "Some" ? Effect.void : Effect.die(new Error(`never: ${what}`))))
    )
}

export class TestZnode {
  readonly sid: Sid
  readonly texts: Array<string> = []
  applied: Zxid
  role = looking
  stats: Stats = {}
  reloads = 0
  private lastProposed: Zxid = 0
  private readonly bus: Bus["Service"]
  private readonly changes: Changes
  private readonly database: MemoryDatabase
  private readonly up: Dialled<ZnodeToBroadcast, BroadcastToZnode>

  constructor(sid: Sid, bus: Bus["Service"], changes: Changes, database: MemoryDatabase) {
    this.sid = sid
    this.bus = bus
    this.changes = changes
    this.database = database
    this.applied = database.checkpoint
    this.loadTexts()
    const listener = (event: Event) => this.take(event)
    this.up = new Dialled(
      () => performance.now(),
      (ms) => {
        const timer = setTimeout(() => this.up.redial(), ms)
        return () => clearTimeout(timer)
      },
      (to) => this.bus.dial(`znode.${sid}`, to, commitProtocol, listener, 2000)
    )
    this.up.want({ address: `broadcast.${sid}`, for: undefined })
  }

  close(): void {
    this.up.want(undefined)
  }

  private loadTexts(): void {
    const node = this.database.nodes.get("/texts")
    this.texts.length = 0
    if (node?.data != null) this.texts.push(...(JSON.parse(new TextDecoder().decode(node.data)) as Array<string>))
  }

  private take(event: Event): void {
    const taken = this.up.take(event)
    if (taken === "opened")
      this.up.link?.send({ _tag: "Hello", applied: this.applied, checkpoint: this.database.checkpoint })
    else if (taken === "broken") this.role = looking
    else for (const message of taken ?? []) this.heard(message)
    this.changes.happened()
  }

  private heard(message: BroadcastToZnode): void {
    switch (message._tag) {
      case "Role":
        this.role = message
        if (message.role === "leading") this.lastProposed = zxid(message.epoch, 0)
        return
      case "Committed": {
        const reader = new EntryReader(message.batch.bytes)
        while (reader.next())
          this.texts.push(new TextDecoder().decode(reader.bytes.subarray(reader.bodyStart, reader.end)))
        this.applied = message.batch.last
        this.up.link?.send({ _tag: "Applied", zxid: this.applied, digest: undefined })
        return
      }
      case "Reload":
        this.reloads++
        this.applied = this.database.checkpoint
        this.loadTexts()
        this.up.link?.send({ _tag: "Hello", applied: this.applied, checkpoint: this.database.checkpoint })
        return
      case "Stats":
        this.stats = message.stats
        return
      case "Digest":
        return
    }
  }

  propose(...texts: ReadonlyArray<string>): void {
    const bodies = texts.map((text) => new TextEncoder().encode(text))
    const bytes = new Uint8Array(bodies.reduce((size, body) => size + ENTRY_HEADER + body.length, 0))
    const view = new DataView(bytes.buffer)
    const first = this.lastProposed + 1
    let at = 0
    for (const body of bodies) {
      const end = at + ENTRY_HEADER + body.length
      bytes.set(body, at + ENTRY_HEADER)
      const header = { zxid: ++this.lastProposed, session: 0, seq: 0, cxid: 0, time: 0, type: 1 }
      writeEntryHeader(view, at, end, header)
      at = end
    }
    const batch: TxnBatch = { first, last: this.lastProposed, count: texts.length, bytes }
    this.up.link?.send({ _tag: "Propose", epoch: this.role.epoch, batch })
  }

  /** The whole "tree" becomes the checkpoint: one node that holds all texts. */
  readonly checkpoint = (tree: TreeStore["Service"]): Effect.Effect<void> =>
    Effect.suspend(() => {
      const data = new TextEncoder().encode(JSON.stringify(this.texts))
      const to = this.applied
      const node: StoredNode = {
        path: "/texts",
        data,
        acl: [],
        czxid: 1,
        mzxid: 1,
        pzxid: 1,
        ctime: 0,
        mtime: 0,
        version: 0,
        cversion: 0,
        aversion: 0,
        ephemeralOwner: 0,
        kind: "persistent",
        ttlMs: 0
      }
      const from = this.database.checkpoint
      const delta = { from, to, digest: 0, upserted: [node], deleted: [], sessions: [], closedSessions: [] }
      return Effect.map(Effect.orDie(tree.checkpoint(delta)), () => {
        this.up.link?.send({ _tag: "Checkpointed", zxid: to })
      })
    })

  /** As an operator's `srst` does. */
  reset(): void {
    this.up.link?.send({ _tag: "Reset" })
  }
}

export interface TestPeer {
  readonly znode: TestZnode
  readonly tree: TreeStore["Service"]
  readonly died: Effect.Effect<never, unknown>
  readonly kill: Effect.Effect<void>
}

export interface PeerOptions {
  readonly voters: ReadonlyArray<Sid>
  readonly observers?: ReadonlyArray<Sid>
  readonly logRetain?: number
  readonly windowBytes?: number
  readonly tickTimeMs?: number
  readonly forceSnapshotSync?: boolean
  readonly mayVoteBlank?: Effect.Effect<boolean>
  /** Before the store makes anything durable. */
  readonly disk?: (operation: string) => Effect.Effect<void, StoreError>
}

/** Starts one peer over its disk, in a scope of its own that ends with the test at the latest. */
export const startPeer = (sid: Sid, database: MemoryDatabase, changes: Changes, options: PeerOptions) =>
  Effect.gen(function* () {
    const bus = yield* Bus
    const scope = yield* Scope.fork(yield* Scope.Scope)
    const { voters, observers = [], tickTimeMs = 100, disk } = options
    const program = Effect.gen(function* () {
      const supervisor = yield* makeSupervisor(`peer ${sid}`)
      const tree = yield* TreeStore
      yield* Effect.orDie(tree.load)
      const services = Effect.gen(function* () {
        yield* runElection({ sid, voters, observer: !voters.includes(sid) })
        yield* runBroadcast({
          sid,
          voters,
          observers,
          tickTimeMs,
          initLimit: 10,
          syncLimit: 5,
          forceSnapshotSync: options.forceSnapshotSync ?? false,
          ...(options.mayVoteBlank === undefined ? {} : { mayVoteBlank: options.mayVoteBlank }),
          ...(options.logRetain === undefined ? {} : { logRetain: options.logRetain }),
          ...(options.windowBytes === undefined ? {} : { windowBytes: options.windowBytes })
        })
      }).pipe(Effect.provideService(CurrentMetrics, new Registry()))
      yield* Effect.provideService(Effect.orDie(services), Supervisor, supervisor)
      return { tree, died: supervisor.join }
    })
    const { tree, died } = yield* program.pipe(
      Effect.provide([memoryLayer(database, disk === undefined ? {} : { beforeDurable: disk }), ownedBusLayer]),
      Effect.provideService(Scope.Scope, scope)
    )
    const znode = new TestZnode(sid, bus, changes, database)
    yield* Scope.addFinalizer(
      scope,
      Effect.sync(() => znode.close())
    )
    return { znode, tree, died, kill: Scope.close(scope, Exit.void) } satisfies TestPeer
  })
