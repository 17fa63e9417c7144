/** How the processes of an ensemble share what is to be traced, and their spans. */
import { randomUUID } from "node:crypto"
import { Bus, type BusError } from "@zkmesh/bus"
import { type SpanRecord, type TraceMessage, tracesTopic } from "@zkmesh/messages"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Outlet, Telemetry } from "./telemetry.ts"

/** How long the others have to answer: nobody knows how many they are. */
const ANSWER_WITHIN_MS = 400
/** How long a message takes to reach everybody, or nearly. */
const HEARD_WITHIN_MS = 50
/** Spans in one answer at most. */
const MAX_SPANS = 4096

type Question = { readonly traceIds: ReadonlyArray<string> } | { readonly session: string }

/** Spans of these traces, and of those that are linked with them. */
const ofTraces = (telemetry: Telemetry, traceIds: ReadonlyArray<string>): Array<SpanRecord> => {
  const wanted = new Set(traceIds)
  return telemetry.recorder
    .find((span) => wanted.has(span.traceId) || span.links?.some((link) => wanted.has(link.traceId)) === true)
    .slice(-MAX_SPANS)
}

/** The traces that requests of a session have begun here. */
const ofSession = (telemetry: Telemetry, session: string): Array<SpanRecord> =>
  telemetry.recorder
    .find((span) => span.parentId === "" && span.attributes["zookeeper.session.id"] === session)
    .slice(-MAX_SPANS)

const answer = (telemetry: Telemetry, question: Question): Array<SpanRecord> =>
  "traceIds" in question ? ofTraces(telemetry, question.traceIds) : ofSession(telemetry, question.session)

/** Joins this process's tracing with the ensemble's until the scope closes. */
export const joinTraces = (telemetry: Telemetry): Effect.Effect<void, BusError, Scope.Scope | Bus> =>
  Effect.gen(function* () {
    const bus = yield* Bus
    const self = randomUUID()
    // By a bus of its own this process has nobody else to ask.
    const isAlone = telemetry.options.messaging === "loopback"
    const asked = new Map<number, Array<SpanRecord>>()
    let nextId = 1
    const publish = (message: TraceMessage) => bus.publish(tracesTopic, message)
    const takeTarget = ({ target, forMs }: Extract<TraceMessage, { _tag: "Target" }>) => {
      const now = performance.now()
      telemetry.sampler.want(target, now + forMs, now)
    }
    const takeQuestion = (message: Extract<TraceMessage, { _tag: "Ask" | "AskSession" }>) => {
      if (message.from === self) return
      const spans = answer(telemetry, message)
      if (spans.length > 0) publish({ _tag: "Spans", to: message.from, id: message.id, spans })
    }
    yield* bus.subscribe(tracesTopic, (message) => {
      switch (message._tag) {
        case "Target":
          takeTarget(message)
          return
        case "Keep":
          telemetry.keep(message.request)
          return
        case "Spans":
          if (message.to === self) asked.get(message.id)?.push(...message.spans)
          return
        default:
          takeQuestion(message)
      }
    })
    const ask = async (question: Question): Promise<ReadonlyArray<SpanRecord>> => {
      const id = nextId++
      const others: Array<SpanRecord> = []
      asked.set(id, others)
      publish(
        "traceIds" in question
          ? { _tag: "Ask", from: self, id, traceIds: question.traceIds }
          : { _tag: "AskSession", from: self, id, session: question.session }
      )
      await pause(isAlone ? 0 : ANSWER_WITHIN_MS)
      asked.delete(id)
      return once([...answer(telemetry, question), ...others])
    }
    const outlet: Outlet = {
      want: async ({ target, forMs }) => {
        publish({ _tag: "Target", target, forMs })
        await pause(isAlone ? 0 : HEARD_WITHIN_MS)
      },
      keep: (request) => void publish({ _tag: "Keep", request }),
      ask
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        telemetry.outlet = outlet
      }),
      () =>
        Effect.sync(() => {
          telemetry.outlet = undefined
        })
    )
  })

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const once = (spans: ReadonlyArray<SpanRecord>): ReadonlyArray<SpanRecord> => [
  ...new Map(spans.map((span) => [`${span.traceId}/${span.spanId}`, span])).values()
]
