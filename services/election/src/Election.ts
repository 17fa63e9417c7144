/** The shell of FastLeaderElection: its own peer's broadcast on a link, the other elections on a topic, one timer. */
import { type ActorContext, type Handler, type Supervisor, spawn } from "@zkmesh/actor"
import { Bus, type BusError, type Link, type LinkEvent } from "@zkmesh/bus"
import { type ElectionInput, type ElectionOutput, FastLeaderElection } from "@zkmesh/election"
import {
  type BroadcastToElection,
  type ElectionToBroadcast,
  electionProtocol,
  electionTopic,
  type Notification
} from "@zkmesh/messages"
import { type Counter, CurrentMetrics } from "@zkmesh/metrics"
import type { Sid } from "@zkmesh/numbers"
import { CurrentTelemetry } from "@zkmesh/telemetry"
import { Effect, type Scope } from "effect"
import { ElectionTracing } from "./tracing/ElectionTracing.ts"

export interface ElectionServiceOptions {
  readonly sid: Sid
  readonly voters: ReadonlyArray<Sid>
  /** The same as text, as in `/zookeeper/config`; one that the ensemble has agreed on is stronger. */
  readonly configuration?: string | undefined
  readonly observer: boolean
  readonly minNotificationMs?: number
  readonly maxNotificationMs?: number
  readonly finalizeWaitMs?: number
}

type BroadcastEvent = LinkEvent<BroadcastToElection, ElectionToBroadcast>
type Message = BroadcastEvent | Notification | { readonly _tag: "Tick"; readonly at: number }

/** Starts the election service of one peer at `election.<sid>`; it lives until the scope closes. */
export const runElection = (
  options: ElectionServiceOptions
): Effect.Effect<void, BusError, Scope.Scope | Bus | Supervisor> =>
  Effect.gen(function* () {
    const bus = yield* Bus
    const name = `election.${options.sid}`
    const tracer = (yield* CurrentTelemetry)?.tracer("election", name, options.sid)
    const tracing = tracer && new ElectionTracing(tracer)
    const metrics = yield* CurrentMetrics
    const counts = {
      sent: metrics.counter("election_notifications_sent"),
      received: metrics.counter("election_notifications_received")
    }
    const actor = yield* spawn<Message>(name, (context) => {
      const publish = (notification: Notification) => bus.publish(electionTopic, notification)
      const shell = new Shell(options, context, publish, tracing, counts)
      return shell.handle
    })
    yield* bus.subscribe(electionTopic, actor.tell)
    yield* bus.listen(name, electionProtocol, actor.tell)
  })

/** Votes told to others, and heard of others. */
interface Counts {
  readonly sent: Counter
  readonly received: Counter
}

class Shell {
  readonly handle: Handler<Message>
  private readonly sid: Sid
  private readonly counts: Counts
  private readonly context: ActorContext<Message>
  private readonly core: FastLeaderElection
  /** undefined: nothing is traced. */
  private readonly tracing: ElectionTracing | undefined
  /** False if it did not leave: then it is as lost as one on the way, and repeated while it matters. */
  private readonly publish: (notification: Notification) => boolean
  private broadcast: Link<ElectionToBroadcast> | undefined
  private timerAt: number | undefined
  private cancelTimer = () => {}

  constructor(
    options: ElectionServiceOptions,
    context: ActorContext<Message>,
    publish: (notification: Notification) => boolean,
    tracing: ElectionTracing | undefined,
    counts: Counts
  ) {
    this.sid = options.sid
    this.counts = counts
    this.tracing = tracing
    this.context = context
    this.publish = publish
    this.core = new FastLeaderElection({
      sid: options.sid,
      voters: options.voters,
      configuration: options.configuration,
      observer: options.observer,
      minNotificationMs: options.minNotificationMs ?? 200,
      maxNotificationMs: options.maxNotificationMs ?? 5000,
      finalizeWaitMs: options.finalizeWaitMs ?? 50
    })
    this.handle = (batch) => {
      for (const message of batch) this.take(message)
    }
  }

  private take(message: Message): void {
    switch (message._tag) {
      case "Notification":
        this.tracing?.heard()
        if (message.from !== this.sid) this.counts.received.add()
        this.step({ _tag: "Heard", now: this.context.now(), notification: message })
        break
      case "Tick":
        if (message.at === this.timerAt) this.step({ _tag: "Tick", now: this.context.now() })
        break
      default:
        this.takeLink(message)
    }
  }

  private takeLink(event: BroadcastEvent): void {
    if (event._tag === "Opened") {
      // A newer link is a newer life of the broadcast: what the older one wanted is void.
      this.broadcast?.break("another broadcast has dialled this election")
      this.broadcast = event.link
      this.step({ _tag: "Stop" })
    } else if (event.link !== this.broadcast) {
      return
    } else if (event._tag === "Broken") {
      this.broadcast = undefined
      this.tracing?.stopped("the broadcast service was lost", this.context.now())
      this.step({ _tag: "Stop" })
    } else {
      for (const request of event.messages) {
        const now = this.context.now()
        if (request._tag === "Look") this.tracing?.looks(request.zxid, now)
        this.step(request._tag === "Stop" ? request : { ...request, now })
      }
    }
  }

  private step(input: ElectionInput): void {
    for (const output of this.core.step(input)) this.carryOut(output)
  }

  private carryOut(output: ElectionOutput): void {
    switch (output._tag) {
      case "Send":
        this.tracing?.sent()
        this.counts.sent.add()
        this.publish(output.notification)
        return
      case "Elected": {
        const trace = this.tracing?.elected(output.leader, output.round, this.context.now())
        // Should the link be broken, its Broken is on the way and stops the core.
        this.broadcast?.send(trace === undefined ? output : { ...output, trace })
        return
      }
      case "Newer":
        this.broadcast?.send(output)
        return
      case "Timer":
        this.setTimer(output.at)
    }
  }

  private setTimer(at: number | undefined): void {
    this.cancelTimer()
    this.timerAt = at
    this.cancelTimer =
      at === undefined ? () => {} : this.context.after(Math.max(0, at - this.context.now()), { _tag: "Tick", at })
  }
}
