/** What the broadcast service's shell tells about what passes through it, and what it sends along. */
import type {
  BroadcastToZnode,
  FanOut,
  KeptRequest,
  LeaderToLearner,
  LearnerToLeader,
  TracedTxn,
  ZnodeToBroadcast
} from "@zkmesh/messages"
import type { Sid } from "@zkmesh/numbers"
import type { Telemetry } from "@zkmesh/telemetry"
import type { Input, LinkId } from "@zkmesh/zab"
import { Effect, type Scope } from "effect"
import { EpochTracing } from "./EpochTracing.ts"
import { LogTracing } from "./LogTracing.ts"

interface Members {
  readonly sid: Sid
  readonly voters: ReadonlyArray<Sid>
}

export class BroadcastTracing {
  readonly log: LogTracing
  readonly epochs: EpochTracing
  private readonly members: Members
  /** Who is at the other end of a learner's link. */
  private readonly learners = new Map<LinkId, { readonly sid: Sid; readonly votes: boolean }>()

  private constructor(telemetry: Telemetry, members: Members) {
    const tracer = telemetry.tracer("broadcast", `broadcast.${members.sid}`, members.sid)
    this.members = members
    this.log = new LogTracing(tracer, () => members.voters.length)
    this.epochs = new EpochTracing(tracer)
  }

  /** undefined if nothing is traced. It answers to the ensemble until the scope closes. */
  static start(
    telemetry: Telemetry | undefined,
    members: Members
  ): Effect.Effect<BroadcastTracing | undefined, never, Scope.Scope> {
    if (telemetry === undefined) return Effect.succeed(undefined)
    const tracing = new BroadcastTracing(telemetry, members)
    const listen = Effect.sync(() => telemetry.onKeep((request: KeptRequest) => tracing.log.keep(request)))
    return Effect.as(
      Effect.acquireRelease(listen, (stop) => Effect.sync(stop)),
      tracing
    )
  }

  fromZnode(message: ZnodeToBroadcast, now: number): void {
    if (message._tag === "Propose") this.log.took(message.batch, message.traces, true, now)
  }

  fromLeaderFanOut(message: FanOut, now: number): void {
    if (message._tag === "Propose") this.log.took(message.batch, message.traces, false, now)
  }

  fromLeader(message: LeaderToLearner, now: number): void {
    if (message._tag === "Suffices") this.log.suffices(message.zxid)
    else this.epochs.fromLeader(message, now)
  }

  fromLearner(link: LinkId, message: LearnerToLeader, now: number): void {
    if (message._tag === "Ack") {
      const learner = this.learners.get(link)
      if (learner?.votes === true) this.log.acked(learner.sid, message.zxid, now)
    } else if (message._tag === "FollowerInfo") {
      this.learners.set(link, { sid: message.sid, votes: !message.observer })
    }
  }

  /** What is durable here counts like any peer's acknowledgement. */
  stored(input: Input, now: number): void {
    if (input._tag !== "Stored" || input.op._tag !== "Append") return
    const { sid, voters } = this.members
    if (voters.includes(sid)) this.log.acked(sid, input.op.batch.last, now)
  }

  /** The message as it leaves for the peers. */
  publishes(message: FanOut, now: number): FanOut {
    this.log.committed(message._tag === "Commit" ? message.zxid : message.committed, now)
    return message._tag === "Commit" ? message : along(message, this.log.publishes(message.batch, now))
  }

  /** The message as it leaves for the znode. */
  toZnode(message: BroadcastToZnode, now: number): BroadcastToZnode {
    if (message._tag === "Committed") {
      this.log.committed(message.batch.last, now)
      return along(message, this.log.delivers(message.batch))
    }
    if (message._tag === "Role") {
      if (message.role === "leading") this.epochs.established(message.epoch, this.members.voters.length, now)
      else if (message.role === "looking") {
        this.log.reset()
        this.learners.clear()
      }
    }
    return message
  }
}

const along = <M extends object>(message: M, traces: ReadonlyArray<TracedTxn> | undefined): M =>
  traces === undefined ? message : { ...message, traces }
