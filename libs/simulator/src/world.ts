/** One run: an ensemble on virtual time, its clients, its troubles, and in the end peace, in which all must be well. */
import type { Sid } from "@zkmesh/numbers"
import { MemoryDatabase } from "@zkmesh/store"
import { type Cast, type Member, PEER_SERVICES } from "./cast.ts"
import { ExpiryChecks } from "./checks/expiry.ts"
import { History } from "./checks/history.ts"
import { Violation } from "./checks/violation.ts"
import { ZabChecks } from "./checks/zab.ts"
import { type ClientHost, ScriptedClient } from "./clients/client.ts"
import { Ending } from "./ending.ts"
import { Faults } from "./faults.ts"
import { configurationOf } from "./membership.ts"
import { BrokerNet } from "./network/broker.ts"
import { SimConnection } from "./network/socket.ts"
import { Observer } from "./observer.ts"
import { MAX_DRIFT, type Schedule } from "./schedule.ts"
import { type Part, Unit, type UnitHost } from "./unit.ts"
import { DISK_FAULT, SimDisk } from "./virtual/disk.ts"
import { Random } from "./virtual/random.ts"
import { Timeline } from "./virtual/timeline.ts"

/** A failure's message that is a simulated fault's doing, and no bug. */
const EXPECTED = [DISK_FAULT]

export class World {
  readonly schedule: Schedule
  readonly timeline = new Timeline()
  readonly net: BrokerNet
  readonly history: History
  readonly zab: ZabChecks
  readonly observer: Observer
  readonly faults = new Faults(this)
  readonly disks = new Map<string, SimDisk>()
  readonly units: ReadonlyArray<Unit>
  readonly clients: ReadonlyArray<ScriptedClient>
  readonly sids: ReadonlyArray<Sid>
  /** The first thing that went wrong. */
  violation: Error | undefined
  private readonly cast: Cast
  /** Far more than a healthy run takes. */
  private readonly maxSteps: number

  constructor(schedule: Schedule, cast: Cast) {
    this.schedule = schedule
    this.cast = cast
    this.maxSteps = 500_000 + schedule.troubleMs * 20
    const { voters, observers, spares } = schedule
    this.sids = Array.from({ length: voters + observers + spares }, (_, index) => index + 1)
    this.history = new History(configurationOf(this.sids.slice(0, voters), this.sids.slice(voters, voters + observers)))
    this.net = new BrokerNet(this.timeline, schedule.seed)
    for (const sid of this.sids) {
      const random = Random.of(schedule.seed, `disk ${sid}`)
      const disk = new SimDisk(this.timeline, random, new MemoryDatabase())
      disk.onRebuilt = () => this.observer.count("rot", "a peer is rebuilt")
      this.disks.set(`peer.${sid}`, disk)
    }
    const disks = new Map(this.sids.map((sid) => [sid, this.disks.get(`peer.${sid}`)!]))
    this.zab = new ZabChecks(this.history, disks, (group, what) => this.observer.count(group, what))
    const expiry = new ExpiryChecks(1 / (1 + 2 * MAX_DRIFT))
    this.observer = new Observer(this.timeline, this.zab, expiry, {
      carried: (session) => {
        for (const client of this.clients) if (client.sessionId === session) client.carried()
      },
      newEpoch: () => this.faults.newEpoch()
    })
    const host = this.unitHost()
    this.units = this.parts().map((part) => new Unit(host, part))
    this.clients = Array.from({ length: schedule.clients }, (_, index) => this.client(index))
  }

  /** Runs it all; throws the first thing that went wrong. */
  run(): void {
    const { schedule, timeline, observer } = this
    const random = Random.of(schedule.seed, "starts")
    for (const unit of this.units) timeline.after(random.between(0, 60), () => unit.start())
    this.clients.forEach((client, index) => {
      for (const path of ["/t", "/q", "/e"]) {
        timeline.after(50, () => client.ask({ kind: "create", path, data: "", mode: 0 }))
      }
      for (const { at, operation } of schedule.scripts[index]!) timeline.after(at, () => client.ask(operation))
    })
    const { faults } = this
    for (const fault of schedule.faults) {
      timeline.after(fault.at, () => {
        observer.count("fault", fault.kind)
        faults.strike(fault)
      })
    }
    this.runUntil(schedule.troubleMs)
    faults.end()
    new Ending(this).run()
  }

  /** Until this time, or until `isDone`. */
  runUntil(until: number, isDone: () => boolean = () => false): boolean {
    for (let steps = 0; ; steps++) {
      if (this.violation !== undefined) throw this.violation
      if (this.timeline.steps > this.maxSteps) throw new Violation("progress", "everybody is busy, and nothing is done")
      if ((steps & 31) === 0 && isDone()) return true
      let went: boolean
      try {
        went = this.timeline.step(until)
      } catch (cause) {
        throw this.violation ?? cause
      }
      if (!went) {
        this.timeline.now = until
        return isDone()
      }
    }
  }

  fail(rule: string, detail: string): void {
    this.violation ??= new Violation(rule, detail)
  }

  private unitHost(): UnitHost {
    const { observer } = this
    return {
      seed: this.schedule.seed,
      timeline: this.timeline,
      net: this.net,
      cast: this.cast,
      disk: (owner) => this.disks.get(owner)!,
      heard: (heard) => this.guarded(() => observer.heard(heard)),
      published: (topic, message) => this.guarded(() => observer.published(topic, message)),
      crashed: (process, cause) => {
        if (cause instanceof Violation) this.violation ??= cause
        else this.fail("thrown", `${process.name}: ${cause instanceof Error ? cause.stack : String(cause)}`)
      },
      logged: (process, level, text) => {
        observer.tell(process.name, "log", text)
        if (text.includes("listener failed")) this.fail("thrown", `${process.name}: ${text}`)
        if (level === "Error" || level === "Fatal") this.fail("logged", `${process.name}: ${text}`)
      },
      failed: (unit, reason) => {
        observer.count("unit", "built again")
        observer.tell(unit.part.name, "log", `has ended: ${reason}`)
        if (!EXPECTED.some((expected) => reason.includes(expected))) this.fail("ended", `${unit.part.name}: ${reason}`)
      },
      mended: (unit, report) => {
        observer.tell(unit.part.name, "log", report)
        this.faults.mended(unit)
      }
    }
  }

  /** A check must not break what it looks at: it ends the run, not the product's own code. */
  private guarded(check: () => void): void {
    try {
      check()
    } catch (cause) {
      this.violation ??= cause instanceof Error ? cause : new Error(String(cause))
    }
  }

  private parts(): ReadonlyArray<Part> {
    const { schedule, sids } = this
    const parts: Array<Part> = []
    const offsets = Random.of(schedule.seed, "wall clocks")
    const drift = () => ({ rate: schedule.rates[parts.length] ?? 1, wallOffsetMs: offsets.between(-2000, 2000) })
    for (const sid of sids) {
      const member = this.member(sid)
      const owner = `peer.${sid}`
      if (schedule.placement === "server") {
        parts.push({ name: owner, owner, drift: drift(), role: { kind: "peer", services: PEER_SERVICES, member } })
        continue
      }
      for (const service of PEER_SERVICES) {
        const name = `${service}.${sid}`
        parts.push({ name, owner, drift: drift(), role: { kind: "peer", services: [service], member } })
      }
    }
    for (let index = 0; index < schedule.frontends; index++) {
      const name = `frontend-${index}`
      const peers = [...sids.slice(index % sids.length), ...sids.slice(0, index % sids.length)]
      parts.push({ name, owner: name, drift: drift(), role: { kind: "frontend", peers } })
    }
    return parts
  }

  /** What its operator has written: who is not of the ensemble names it, and himself as one who would vote. */
  private member(sid: Sid): Member {
    const { sids, schedule } = this
    const { voters: count, snapCount, logRetain, isReconfigurable } = schedule
    const isSpare = sid > count + schedule.observers
    const voters = [...sids.slice(0, count), ...(isSpare ? [sid] : [])]
    const observers = sids.slice(count, count + schedule.observers)
    const configuration = isReconfigurable ? configurationOf(voters, observers).text : undefined
    return { sid, voters, observers, snapCount, logRetain, configuration }
  }

  private client(index: number): ScriptedClient {
    const name = `client ${index}`
    const random = Random.of(this.schedule.seed, name)
    const host: ClientHost = {
      timeline: this.timeline,
      history: this.history,
      frontends: this.schedule.frontends,
      said: (client, text) => this.observer.tell(client, client, text),
      connect: (frontend, end, client) => {
        const unit = this.units.find(({ part }) => part.name === `frontend-${frontend}`)!
        const { doorway, process } = unit
        if (doorway === undefined || process === undefined) return undefined
        const connection = new SimConnection(this.timeline, random, process, end, client)
        process.run(() => doorway.enter(connection.server.asSocket))
        return connection
      }
    }
    return new ScriptedClient(host, name, random, random.pick([1500, 2500, 4000]))
  }
}
