/** Carries out the faults of a schedule, and ends them. */
import { type Configuration, parseConfiguration } from "@zkmesh/membership"
import type { Sid } from "@zkmesh/numbers"
import { MemoryDatabase } from "@zkmesh/store"
import { holds } from "./checks/zab.ts"
import { configurationOf, reconfigTo } from "./membership.ts"
import type { Fault } from "./schedule.ts"
import type { Unit } from "./unit.ts"
import type { World } from "./world.ts"

export class Faults {
  private readonly world: World
  private isOver = false
  private readonly backups = new Map<string, MemoryDatabase>()
  private readonly cuts = new Map<string, number>()
  private readonly stalled = new Set<string>()
  /** Reconfigurations of which nobody knows yet what has become of them. */
  private readonly asked = new Set<Configuration>()

  constructor(world: World) {
    this.world = world
  }

  strike(fault: Fault): void {
    const { net, observer, timeline } = this.world
    observer.tell("fate", "everybody", sayFault(fault))
    const { forMs } = fault
    switch (fault.kind) {
      case "crash":
        this.crash(this.unit(fault.unit), forMs)
        return
      case "power cut":
        for (const unit of this.world.units) this.crash(unit, forMs + this.world.units.indexOf(unit))
        return
      case "pause":
        this.unit(fault.unit).process?.stop(forMs)
        return
      case "cut":
        this.cut(this.owner(fault.from), this.owner(fault.to), forMs)
        return
      case "isolate":
        for (const other of this.owners()) this.cutBoth(this.owner(fault.owner), other, forMs)
        return
      case "stall":
        this.stall(this.owner(fault.owner), forMs)
        return
      case "split":
        this.split(fault.sides, forMs)
        return
      case "broker restart":
        net.down()
        timeline.after(Math.min(forMs, 1000), () => net.up())
        return
      case "broker lost":
        this.unit(fault.unit).loseBroker(Math.min(forMs, 1000))
        return
      case "loss":
        this.forAWhile(forMs, (on) => (net.loss = on ? fault.chance : 0))
        return
      case "duplication":
        this.forAWhile(forMs, (on) => (net.duplication = on ? fault.chance : 0))
        return
      case "slow network":
        this.forAWhile(forMs, (on) => (net.slowness = on ? fault.factor : 1))
        return
      case "reconfigure":
        this.reconfigure(fault)
        return
      case "client move":
        this.world.clients[fault.client]!.move()
        return
      case "client death":
        // The others have to go on.
        if (fault.client > 0) this.world.clients[fault.client]!.die()
        return
      default:
        this.disk(fault)
    }
  }

  /** Somebody begins to lead a new epoch: the worst moment for what an older one has sent to arrive. */
  newEpoch(): void {
    for (const owner of this.stalled) this.release(owner)
  }

  /** Peace: whatever is broken is mended, whoever is down comes back. */
  end(): void {
    this.isOver = true
    const { net, disks, units } = this.world
    net.loss = net.duplication = 0
    net.slowness = 1
    net.cuts.clear()
    for (const owner of this.stalled) this.release(owner)
    if (!net.isUp) net.up()
    for (const disk of disks.values()) {
      disk.slowness = 1
      disk.condition = "good"
    }
    for (const unit of units) unit.start()
  }

  private disk(fault: Extract<Fault, { readonly peer: number }>): void {
    const owner = `peer.${this.world.sids[fault.peer]!}`
    const disk = this.world.disks.get(owner)!
    switch (fault.kind) {
      case "slow disk":
        this.forAWhile(fault.forMs, (on) => (disk.slowness = on ? fault.factor : 1))
        return
      case "failing disk":
        this.forAWhile(fault.forMs, (on) => (disk.condition = on ? "failing" : "good"))
        return
      case "full disk":
        this.forAWhile(fault.forMs, (on) => (disk.condition = on ? "full" : "good"))
        return
      case "rotten log":
      case "rotten checkpoint":
        this.rot(fault)
        return
      case "empty database":
        this.replace(owner, fault.forMs, new MemoryDatabase())
        return
      case "old database": {
        const backup = this.backups.get(owner)
        this.backups.set(owner, copyOf(disk.database))
        if (backup !== undefined) this.replace(owner, fault.forMs, copyOf(backup))
        return
      }
    }
  }

  /** An operator may give a peer another database only while a quorum without it has all that has been promised. */
  private replace(owner: string, forMs: number, database: MemoryDatabase): void {
    if (!this.isDispensable(owner)) return
    const { history } = this.world
    this.world.observer.count("fault", "database replaced")
    const units = this.unitsOf(owner)
    for (const unit of units) {
      unit.kill()
      // What it had been told of the membership is gone with its database.
      if (history.configuration.version > 0) unit.configure(history.configuration.text)
    }
    this.world.disks.get(owner)!.replace(database)
    this.world.timeline.after(forMs, () => {
      for (const unit of units) unit.start()
    })
  }

  private isDispensable(owner: string): boolean {
    const { disks, history, sids } = this.world
    // What a shaken disk had promised cannot be read from it.
    if (disks.get(owner)!.isShaken) return false
    const own = disks.get(owner)!.database
    const others = sids.filter((sid) => {
      const { database, isShaken } = disks.get(`peer.${sid}`)!
      if (database === own || isShaken || !holds(database, Math.max(own.last, history.last))) return false
      return database.acceptedEpoch >= own.acceptedEpoch && database.currentEpoch >= own.currentEpoch
    })
    const sid = Number(owner.slice("peer.".length))
    return this.configurations().every(({ quorum }) => !quorum.voters.has(sid) || quorum.has(others))
  }

  /** Rows rot while the others are a quorum without this peer and whoever else has lost some. */
  private rot({ kind, peer, place, crash, forMs }: Extract<Fault, { readonly crash: number }>): void {
    const { disks, observer, sids } = this.world
    const own = sids[peer]!
    const sound = this.sound().filter((sid) => sid !== own)
    if (!this.configurations().every(({ quorum }) => quorum.has(sound))) return
    const disk = disks.get(`peer.${own}`)!
    const hasStruck =
      kind === "rotten log" ? disk.rot.strikeLog(disk.database, place) : disk.rot.strikeTree(disk.database)
    if (!hasStruck) return
    observer.count("rot", kind === "rotten log" ? "a row of the log" : "a row of the checkpoint")
    if (crash === 1) for (const unit of this.unitsOf(`peer.${own}`)) this.crash(unit, forMs)
  }

  /** A store was found to be corrupt. */
  mended(unit: Unit): void {
    const { disks, observer, timeline } = this.world
    const { owner } = unit.part
    const disk = disks.get(owner)!
    if (!disk.rot.isIn(disk.database)) {
      observer.count("rot", "a store is set aside")
      // Whoever else has it open loses it.
      for (const other of this.unitsOf(owner)) if (other !== unit && other.isUp) this.crash(other, 1)
      return
    }
    // The others are too few by now: it has to be repaired by hand.
    observer.count("rot", "a store is repaired by hand")
    timeline.after(200, () => disk.rot.clear())
  }

  private unitsOf(owner: string): ReadonlyArray<Unit> {
    return this.world.units.filter(({ part }) => part.owner === owner)
  }

  /** The one that was agreed on last, and whatever has been asked for or is on its way. */
  private configurations(): ReadonlyArray<Configuration> {
    const { configuration } = this.world.history
    const proposed = [...this.world.disks.values()].flatMap(({ database }) => {
      const { committed, proposed } = database.configuration ?? { committed: undefined, proposed: undefined }
      return [committed, proposed].flatMap((text) => (text === undefined ? [] : [parseConfiguration(text)]))
    })
    return [configuration, ...this.asked, ...proposed.filter(({ version }) => version > configuration.version)]
  }

  private reconfigure({ client, voters, observers, whole }: Extract<Fault, { readonly kind: "reconfigure" }>): void {
    const { history, observer, clients, sids } = this.world
    const among = (bits: number) => sids.filter((_, place) => ((bits >> place) & 1) === 1)
    const target = configurationOf(among(voters), among(observers))
    // An operator does not hand the ensemble over to those who could not agree on anything.
    if (!target.quorum.has(this.sound())) return
    this.asked.add(target)
    clients[client]!.ask(reconfigTo(history.configuration, target, whole === 1), ({ err }) => {
      this.asked.delete(target)
      observer.count("reconfiguration", `answered ${err}`)
    })
  }

  /** Whose disks are what they had promised to be. */
  private sound(): ReadonlyArray<Sid> {
    return this.world.sids.filter((sid) => !this.world.disks.get(`peer.${sid}`)!.isShaken)
  }

  private crash(unit: Unit, forMs: number): void {
    unit.kill()
    this.world.timeline.after(forMs, () => unit.start())
  }

  private unit(index: number): Unit {
    return this.world.units[index % this.world.units.length]!
  }

  private owners(): ReadonlyArray<string> {
    return [...new Set(this.world.units.map(({ part }) => part.owner))]
  }

  private owner(index: number): string {
    const owners = this.owners()
    return owners[index % owners.length]!
  }

  private split(sides: number, forMs: number): void {
    const owners = this.owners()
    owners.forEach((left, index) => {
      owners.forEach((right, other) => {
        if (((sides >> index) & 1) !== ((sides >> other) & 1)) this.cut(left, right, forMs)
      })
    })
  }

  private stall(owner: string, forMs: number): void {
    const { net, timeline } = this.world
    net.stall(owner)
    this.stalled.add(owner)
    timeline.after(forMs, () => this.release(owner))
  }

  private release(owner: string): void {
    if (this.stalled.delete(owner)) this.world.net.release(owner)
  }

  private cutBoth(left: string, right: string, forMs: number): void {
    this.cut(left, right, forMs)
    this.cut(right, left, forMs)
  }

  private cut(from: string, to: string, forMs: number): void {
    if (from === to) return
    const { net, timeline } = this.world
    const pair = `${from}>${to}`
    const until = Math.max(this.cuts.get(pair) ?? 0, timeline.now + forMs)
    this.cuts.set(pair, until)
    net.cuts.add(pair)
    timeline.after(forMs, () => {
      if (timeline.now >= until && this.cuts.get(pair) === until) net.cuts.delete(pair)
    })
  }

  private forAWhile(ms: number, turn: (on: boolean) => void): void {
    turn(true)
    this.world.timeline.after(ms, () => {
      if (!this.isOver) turn(false)
    })
  }
}

const copyOf = (database: MemoryDatabase): MemoryDatabase => {
  const copy = new MemoryDatabase()
  copy.acceptedEpoch = database.acceptedEpoch
  copy.currentEpoch = database.currentEpoch
  copy.rebuilding = database.rebuilding
  copy.configuration = database.configuration
  copy.floor = database.floor
  copy.batches = [...database.batches]
  copy.checkpoint = database.checkpoint
  copy.digest = database.digest
  for (const [path, node] of database.nodes) copy.nodes.set(path, node)
  for (const [id, record] of database.sessions) copy.sessions.set(id, { ...record })
  return copy
}

/** A fault in a line. */
export const sayFault = (fault: Fault): string => {
  const { kind, at: _, ...rest } = fault
  const details = Object.entries(rest).map(([name, value]) => `${name}=${Number(value.toFixed(3))}`)
  return `${kind} ${details.join(" ")}`
}
