/** One peer of the simulation: the core under test, and around it the shell's duties done by hand. */
import type {
  BroadcastToZnode,
  FanOut,
  LeaderToLearner,
  LearnerToLeader,
  Notification,
  ZnodeToBroadcast
} from "@zkmesh/messages"
import type { Sid } from "@zkmesh/numbers"
import { type Input, type LinkId, type Output, Peer, type PeerConfig, type ReadOp, type WriteOp } from "@zkmesh/zab"
import type { Disk } from "./disk.ts"
import type { Elector, ElectorHost } from "./elector.ts"
import type { End, SimLink } from "./network.ts"
import type { World } from "./world.ts"
import { ToyZnode } from "./znode.ts"

export class SimNode {
  readonly sid: Sid
  readonly disk: Disk
  private readonly world: World
  private readonly config: PeerConfig
  /** Counts lives: whatever was planned in an earlier one does not happen. */
  private life = 0
  private znodeLife = 0
  isUp = false
  peer: Peer | undefined
  znode: ToyZnode | undefined
  private elector: Elector | undefined
  private inbox: Array<Input> = []
  private isPlanned = false
  pausedUntil = 0
  diskSlowness = 1
  private writes: Array<WriteOp> = []
  private reads: Array<ReadOp> = []
  private snapshots = new Map<LinkId, Array<Uint8Array>>()
  private nextLink = 0
  private znodeLink = 0
  private readonly learnerLinks = new Map<LinkId, SimLink>()
  private readonly leaderLinks = new Map<LinkId, SimLink>()

  constructor(world: World, sid: Sid, disk: Disk, config: PeerConfig) {
    this.world = world
    this.sid = sid
    this.disk = disk
    this.config = config
  }

  start(): void {
    const life = ++this.life
    this.isUp = true
    this.peer = new Peer(this.config, this.disk.recover())
    const host: ElectorHost = {
      sid: this.sid,
      voters: this.config.voters,
      now: () => this.world.clock.now,
      after: (ms, run) => this.after(ms, run),
      broadcast: (notification: Notification) => this.world.notify(this.sid, notification),
      elected: (leader, round) => this.post({ _tag: "FromElection", message: { _tag: "Elected", leader, round } }),
      newer: (configuration) => this.post({ _tag: "FromElection", message: { _tag: "Newer", configuration } })
    }
    this.elector = this.world.makeElector(host)
    this.post({ _tag: "ElectionOpened" })
    this.startZnode()
    const tick = (): void => {
      if (life !== this.life) return
      this.post({ _tag: "Tick" })
      this.world.clock.after(10, tick)
    }
    tick()
  }

  /** The process dies: memory is gone, the write in flight may have happened or not. */
  crash(): void {
    if (!this.isUp) return
    const [inFlight] = this.writes
    if (inFlight !== undefined && this.world.random.chance(0.5)) this.perform(inFlight)
    this.life++
    this.isUp = false
    this.peer = undefined
    this.znode = undefined
    this.elector = undefined
    this.inbox = []
    this.isPlanned = false
    this.writes = []
    this.reads = []
    this.snapshots.clear()
    this.learnerLinks.clear()
    this.leaderLinks.clear()
    for (const link of this.world.network.links) {
      if (link.touches(this.sid)) link.break("dead", this.world.random.between(1, 80), this.world.random.between(1, 80))
    }
  }

  /** Only the znode dies, and comes back. */
  crashZnode(): void {
    if (!this.isUp) return
    this.znode = undefined
    const znodeLife = ++this.znodeLife
    this.post({ _tag: "ZnodeBroken", link: this.znodeLink })
    this.after(this.world.random.between(1, 100), () => znodeLife === this.znodeLife && this.startZnode())
  }

  private startZnode(): void {
    const znodeLife = ++this.znodeLife
    const link = ++this.znodeLink
    const znode = new ToyZnode({
      sid: this.sid,
      disk: this.disk,
      checker: this.world.checker,
      random: this.world.random,
      slowness: () => this.diskSlowness,
      after: (ms, run) => this.after(ms, () => znodeLife === this.znodeLife && run()),
      send: (message: ZnodeToBroadcast) => this.post({ _tag: "FromZnode", link, message }),
      reconfigure: () => this.world.reconfigure()
    })
    znode.isProposing = this.world.isProposing
    this.znode = znode
    this.post({ _tag: "ZnodeOpened", link })
  }

  private after(ms: number, run: () => void): void {
    const { life } = this
    this.world.clock.after(ms, () => {
      if (life === this.life) run()
    })
  }

  post(input: Input): void {
    if (!this.isUp) return
    this.inbox.push(input)
    if (this.isPlanned) return
    this.isPlanned = true
    const wait = Math.max(this.world.random.between(0, 0.2), this.pausedUntil - this.world.clock.now)
    this.after(wait, () => this.pass())
  }

  private pass(): void {
    this.isPlanned = false
    const inputs = this.inbox
    this.inbox = []
    const peer = this.peer!
    for (const input of inputs) {
      peer.step(this.world.clock.now, input)
      if (peer.role === "leading" && peer.phase === "broadcast") this.world.checker.leads(this.sid, peer.epoch)
    }
    for (const output of peer.flush()) this.carryOut(output)
  }

  private carryOut(output: Output): void {
    switch (output._tag) {
      case "Write":
        this.writes.push(output.op)
        if (this.writes.length === 1) this.nextWrite()
        return
      case "Read":
        this.reads.push(output.op)
        if (this.reads.length === 1) this.nextRead()
        return
      case "Publish":
        if (output.message._tag === "Propose") this.world.checker.proposes(this.sid, output.message.batch)
        this.world.fanOut(this.sid, output.message)
        return
      case "ToLearner":
        this.learnerLinks.get(output.link)?.send(1, output.message)
        return
      case "BreakLearner":
        this.learnerLinks.get(output.link)?.break(output.detail)
        return
      case "DialLeader":
        this.dial(output.link, output.leader)
        return
      case "ToLeader":
        this.leaderLinks.get(output.link)?.send(0, output.message)
        return
      case "BreakLeader":
        this.leaderLinks.get(output.link)?.break(output.detail)
        return
      case "ToZnode":
        this.toZnode(output.link, output.message)
        return
      case "BreakZnode":
        throw new Error(`broadcast breaks its only znode's link: ${output.detail}`)
      case "ToElection":
        this.elector!.tell(output.message)
        return
      case "Linger":
        this.after(output.with === "commit" ? 1 : 20, () => this.post({ _tag: "Lingered" }))
        return
      case "Note":
        this.world.note(this.sid, output.text)
        return
    }
  }

  private toZnode(link: LinkId, message: BroadcastToZnode): void {
    const { znodeLife } = this
    if (link !== this.znodeLink) return
    // One link, so in order; the delay is the pass's own.
    this.after(0, () => {
      if (znodeLife === this.znodeLife) this.znode?.heard(message)
    })
  }

  private dial(link: LinkId, leader: Sid): void {
    const target = this.world.nodes.get(leader)!
    if (!target.isUp || this.world.network.isCut(this.sid, leader)) {
      this.after(this.world.random.between(1, 20), () => this.post({ _tag: "LeaderBroken", link, detail: "absent" }))
      return
    }
    const dialer: End = {
      sid: this.sid,
      opened: this.guard(() => this.post({ _tag: "LeaderOpened", link })),
      received: this.guard((message) => this.post({ _tag: "FromLeader", link, message: message as LeaderToLearner })),
      broken: this.guard((detail) => this.post({ _tag: "LeaderBroken", link, detail: detail as string }))
    }
    this.leaderLinks.set(link, target.accept(dialer))
  }

  private accept(dialer: End): SimLink {
    const link = ++this.nextLink
    const listener: End = {
      sid: this.sid,
      opened: this.guard(() => this.post({ _tag: "LearnerOpened", link })),
      received: this.guard((message) => this.post({ _tag: "FromLearner", link, message: message as LearnerToLeader })),
      broken: this.guard((detail) => {
        this.learnerLinks.delete(link)
        this.post({ _tag: "LearnerBroken", link, detail: detail as string })
      })
    }
    const made = this.world.network.connect(dialer, listener)
    this.learnerLinks.set(link, made)
    return made
  }

  private guard(run: (value: unknown) => void): (value?: unknown) => void {
    const { life } = this
    return (value) => {
      if (life === this.life) run(value)
    }
  }

  heardFanOut(message: FanOut): void {
    this.post({ _tag: "FromFanOut", message })
  }
  heardNotification(notification: Notification): void {
    this.elector?.hear(notification)
  }

  private nextWrite(): void {
    const op = this.writes[0]!
    this.after(this.world.random.between(0.1, 3) * this.diskSlowness, () => {
      const kept = this.perform(op)
      this.writes.shift()
      this.post(op._tag === "Truncate" ? { _tag: "Truncated", op, kept } : { _tag: "Stored", op })
      if (this.writes.length > 0) this.nextWrite()
    })
  }

  private perform(op: WriteOp): number | undefined {
    const { disk } = this
    this.world.count(op._tag)
    switch (op._tag) {
      case "Append":
        disk.append(op.batch)
        return
      case "SetAcceptedEpoch":
        if (op.epoch < disk.acceptedEpoch) throw new Error("acceptedEpoch goes backwards")
        disk.acceptedEpoch = op.epoch
        return
      case "SetCurrentEpoch":
        if (op.epoch < disk.currentEpoch) throw new Error("currentEpoch goes backwards")
        disk.currentEpoch = op.epoch
        return
      case "SetConfiguration":
        disk.configuration = op.membership
        return
      case "SetRebuilt":
        disk.isRebuilding = false
        return
      case "Truncate": {
        const kept = disk.truncate(op.zxid)
        this.world.checker.durable()
        return kept
      }
      case "Restore":
        disk.beginRestore(op.zxid)
        return
      case "RestoreChunk":
        disk.restoreChunk(op.bytes)
        return
      case "RestoreCommit":
        disk.commitRestore()
        this.world.checker.durable()
        return
      case "RestoreAbort":
        disk.abortRestore()
        return
    }
  }

  private nextRead(): void {
    const op = this.reads[0]!
    this.after(this.world.random.between(0.1, 3) * this.diskSlowness, () => {
      const answer = this.answer(op)
      this.reads.shift()
      if (answer !== undefined) this.post(answer)
      if (this.reads.length > 0) this.nextRead()
    })
  }

  private answer(op: ReadOp): Input | undefined {
    const { disk, snapshots } = this
    this.world.count(op._tag)
    switch (op._tag) {
      case "Find":
        return { _tag: "Found", op, zxid: disk.lastAtOrBefore(op.zxid) }
      case "Read":
        return { _tag: "Read", op, batches: disk.read(op.after, op.maxBytes) }
      case "OpenSnapshot":
        snapshots.set(op.link, disk.snapshotChunks())
        return { _tag: "SnapshotOpened", op, zxid: disk.checkpoint.zxid }
      case "ReadSnapshot": {
        const chunks = snapshots.get(op.link)
        // Closed while this was waiting for its turn.
        if (chunks === undefined) return
        const bytes = chunks.shift()!
        return { _tag: "SnapshotRead", op, bytes, last: chunks.length === 0 }
      }
      case "CloseSnapshot":
        snapshots.delete(op.link)
        return
      case "Purge":
        return { _tag: "Purged", op, floor: disk.purge(op.zxid) }
    }
  }
}
