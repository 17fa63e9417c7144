/**
 * `snapshot`: a peer's whole state as a stream, in the portable form of `@zkmesh/store` (libs/store/README.md says what is
 * in it). It is the checkpoint, which is brought up to date first.
 */
import { createReadStream } from "node:fs"
import { mkdtemp, open, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { hex, type Zxid } from "@zkmesh/numbers"
import { LogStore, type StoreError } from "@zkmesh/store"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { json } from "../http.ts"
import { type Subject, text } from "./command.ts"
import { authorized, RateLimit, Refused } from "./guard.ts"

export interface SnapshotOptions {
  readonly isEnabled: boolean
  readonly intervalMs: number
  /** The store of the peer; undefined in a process that has none. */
  readonly store: Layer.Layer<LogStore, StoreError> | undefined
}

/** How long the checkpoint may take to come. */
const PATIENCE_MS = 60_000
const POLL_MS = 100

const refuse = (status: number, message: string) => new Refused({ status, message })

export const snapshotRoute = (subject: Subject, base: `/${string}`, options: SnapshotOptions) => {
  const { metrics } = subject.server
  const errors = metrics.counter("snapshot_error_count")
  const limited = metrics.counter("snapshot_rate_limited_count")
  const limit = new RateLimit(options.intervalMs)
  const take = Effect.fnUntraced(function* (request: HttpServerRequest) {
    if (!options.isEnabled) return yield* refuse(503, "Snapshot command is disabled")
    yield* authorized(subject, request)
    const { store } = options
    if (store === undefined) return yield* refuse(500, "this process has no store: ask the server of a peer")
    if (!limit.admits(performance.now())) {
      limited.add()
      return yield* refuse(429, "Rate limit exceeded: a snapshot was taken a moment ago")
    }
    const zxid = yield* checkpointed(subject)
    if (new URL(request.url, "http://here").searchParams.get("streaming") === "false") {
      return json({ last_zxid: hex(zxid), command: "snapshot", error: null })
    }
    return yield* Effect.provide(streamed, store).pipe(
      Effect.mapError((error) => refuse(500, error.message)),
      Effect.tapError(() => Effect.sync(() => errors.add()))
    )
  })
  const answer = (request: HttpServerRequest) =>
    Effect.catch(take(request), ({ status, message }) =>
      Effect.succeed(json({ command: "snapshot", error: message }, status))
    )
  const names = ["snapshot", "snap"] as const
  return names.map((name) => HttpRouter.add("GET", `${base}/${name}`, answer))
}

/** Asks for a checkpoint of what has been applied by now, and waits for it. */
const checkpointed = (subject: Subject): Effect.Effect<Zxid, Refused> =>
  Effect.gen(function* () {
    const { server, settings } = subject
    const serving = Effect.gen(function* () {
      const answered = yield* Effect.promise(() => server.ask("checkpoint"))
      if (answered === undefined || (settings.sid !== 0 && answered.peer.sid !== settings.sid)) {
        return yield* refuse(503, "This ZooKeeper instance is not currently serving requests")
      }
      return answered.stats
    })
    const zxidOf = (value: string): Zxid => Number.parseInt(value, 16)
    const wanted = zxidOf(text(yield* serving, "last_processed_zxid"))
    const deadline = performance.now() + PATIENCE_MS
    while (performance.now() < deadline) {
      const reached = zxidOf(text(yield* serving, "checkpoint_zxid"))
      if (reached >= wanted) return reached
      yield* Effect.sleep(POLL_MS)
    }
    return yield* refuse(500, `no checkpoint in ${PATIENCE_MS} ms`)
  })

/** Written to a file first: its size is told before it, and the database is not held for a slow reader. */
const streamed = Effect.gen(function* () {
  const log = yield* LogStore
  const directory = yield* Effect.promise(() => mkdtemp(join(tmpdir(), "zkmesh-snapshot-")))
  const path = join(directory, "snapshot")
  const remove = Effect.promise(() => rm(directory, { recursive: true, force: true }))
  const { zxid, size } = yield* Effect.scoped(
    Effect.gen(function* () {
      const { zxid, chunks } = yield* log.snapshot
      const file = yield* Effect.acquireRelease(
        Effect.promise(() => open(path, "w")),
        (opened) => Effect.promise(() => opened.close())
      )
      yield* Stream.runForEach(chunks, (chunk) => Effect.promise(() => file.writeFile(chunk)))
      return { zxid, size: (yield* Effect.promise(() => stat(path))).size }
    })
  ).pipe(Effect.onError(() => remove))
  const bytes = Stream.fromAsyncIterable(createReadStream(path) as AsyncIterable<Uint8Array>, (cause) =>
    refuse(500, String(cause))
  )
  return HttpServerResponse.stream(Stream.ensuring(bytes, remove), {
    contentType: "application/octet-stream",
    headers: { last_zxid: hex(zxid), snapshot_size: `${size}` }
  })
})
