/** Watches what peers say of themselves, as a frontend hears it: who leads, who serves. */
import { Bus, type LinkEvent } from "@zkmesh/bus"
import { type FrontendToSession, frontendProtocol, type Role, type SessionToFrontend } from "@zkmesh/messages"
import type { Sid } from "@zkmesh/numbers"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"

export interface PeerStatus {
  readonly serving: boolean
  readonly role: Role
  readonly epoch: number
}

/** Nobody there: its session service has gone, or has not started yet. */
export const GONE: PeerStatus = { serving: false, role: "looking", epoch: 0 }

const REDIAL_MS = 100
const SILENCE_MS = 10_000

/** Calls `onStatus` with every change of each peer's status, `onConfiguration` with who it says the ensemble is. Never ends. */
export const watchRoles = (
  name: string,
  sids: ReadonlyArray<Sid>,
  onStatus: (sid: Sid, status: PeerStatus) => Effect.Effect<void>,
  onConfiguration: (sid: Sid, text: string) => Effect.Effect<void> = () => Effect.void
): Effect.Effect<never, never, Bus> =>
  Effect.all(
    sids.map((sid) =>
      Effect.forever(Effect.andThen(watchOnce(name, sid, onStatus, onConfiguration), Effect.sleep(REDIAL_MS)))
    ),
    { concurrency: "unbounded", discard: true }
  ) as Effect.Effect<never, never, Bus>

const watchOnce = Effect.fnUntraced(function* (
  name: string,
  sid: Sid,
  onStatus: (sid: Sid, status: PeerStatus) => Effect.Effect<void>,
  onConfiguration: (sid: Sid, text: string) => Effect.Effect<void>
) {
  const bus = yield* Bus
  // Sliding: of several that wait only the newest matter, and a Broken is always the last.
  const events = yield* Queue.sliding<LinkEvent<SessionToFrontend, FrontendToSession>>(64)
  const dial = Effect.sync(() =>
    bus.dial(
      `frontend.${name}`,
      `session.${sid}`,
      frontendProtocol,
      (event) => void Queue.offerUnsafe(events, event),
      SILENCE_MS
    )
  )
  let known = GONE
  const listen = Effect.gen(function* () {
    while (true) {
      const event = yield* Queue.take(events)
      if (event._tag === "Broken") break
      if (event._tag === "Opened") continue
      for (const message of event.messages) {
        if (message._tag === "Configuration") yield* onConfiguration(sid, message.text)
        if (message._tag !== "Status") continue
        if (message.serving === known.serving && message.role === known.role && message.epoch === known.epoch) continue
        known = { serving: message.serving, role: message.role, epoch: message.epoch }
        yield* onStatus(sid, known)
      }
    }
    if (known !== GONE) yield* onStatus(sid, GONE)
  })
  yield* Effect.acquireUseRelease(
    dial,
    () => listen,
    (link) => Effect.sync(() => link.isOpen && link.break("the watcher stops"))
  )
})
