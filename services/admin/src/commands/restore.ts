/**
 * `restore`: the body is a snapshot, and what is in it becomes the ensemble's state again.
 *
 * ZooKeeper replaces the tree of one server behind the back of the others, and has to be told so on each of them. Here it
 * is one transaction of the log (see `stage.ts`): it has to be done once, on whichever server; every peer takes it in the
 * same place of the same history, now or when it comes back; a crash, of whomever, leaves the tree as it was or as the
 * snapshot says. Every znode is what it was, to the last field of its Stat. The sessions are the snapshot's as well: those
 * that began later end, and those of then that have ended since are back, with their ephemeral nodes, for as long as
 * their timeout lasts. Who watches is told what has changed.
 */
import type { AddressInfo } from "node:net"
import { ZkClient } from "@zkmesh/client"
import { hex } from "@zkmesh/numbers"
import { houseCredentials } from "@zkmesh/service-frontend"
import { CorruptSnapshot } from "@zkmesh/store"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Stream from "effect/Stream"
import { json } from "../http.ts"
import type { Subject } from "./command.ts"
import { authorized, RateLimit, Refused } from "./guard.ts"
import { Staging } from "./stage.ts"

export interface RestoreOptions {
  readonly isEnabled: boolean
  readonly intervalMs: number
  /** What a client port takes in one request, bytes. */
  readonly maxFrameBytes: number
}

const CONNECT_MS = 10_000

const refuse = (status: number, message: string) => new Refused({ status, message })
const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

export const restoreRoute = (subject: Subject, base: `/${string}`, options: RestoreOptions) => {
  const { metrics } = subject.server
  const errors = metrics.counter("restore_error_count")
  const limited = metrics.counter("restore_rate_limited_count")
  const time = metrics.summary("restore_time")
  const limit = new RateLimit(options.intervalMs)
  const restore = Effect.fnUntraced(function* (request: HttpServerRequest) {
    if (!options.isEnabled) return yield* refuse(503, "Restore command is disabled")
    yield* authorized(subject, request)
    if (request.headers["content-length"] === "0") return yield* refuse(400, "Restore needs a snapshot as its body")
    if (!limit.admits(performance.now())) {
      limited.add()
      return yield* refuse(429, "Rate limit exceeded: a snapshot was restored a moment ago")
    }
    const startedAt = performance.now()
    const { zxid, znodes } = yield* Effect.acquireUseRelease(
      dial(subject),
      (client) => restoreFrom(client, request, options.maxFrameBytes),
      (client) => Effect.promise(() => client.close())
    ).pipe(Effect.tapError(() => Effect.sync(() => errors.add())))
    time.record(performance.now() - startedAt)
    yield* Effect.logInfo(`a snapshot of ${znodes} znodes has been restored at ${hex(zxid)}`)
    return json({ last_zxid: hex(zxid), command: "restore", error: null })
  })
  const answer = (request: HttpServerRequest) =>
    Effect.catch(restore(request), ({ status, message }) =>
      Effect.succeed(json({ command: "restore", error: message }, status))
    )
  return ["restore", "rest"].map((name) => HttpRouter.add("POST", `${base}/${name}` as `/${string}`, answer))
}

const refusalOf = (cause: unknown) => refuse(cause instanceof CorruptSnapshot ? 400 : 500, messageOf(cause))

/** A body that is damaged or cut short changes nothing. */
const restoreFrom = (client: ZkClient, request: HttpServerRequest, maxFrameBytes: number) => {
  const staging = new Staging(client, maxFrameBytes)
  const during = (act: () => Promise<void>) => Effect.tryPromise({ try: act, catch: refusalOf })
  const staged = Effect.gen(function* () {
    yield* during(() => staging.begin())
    yield* Stream.runForEach(request.stream, (chunk) => during(() => staging.write(chunk))).pipe(
      Effect.mapError((error) => (error instanceof Refused ? error : refuse(400, messageOf(error))))
    )
    yield* during(() => staging.commit())
    return { zxid: client.lastZxidSeen, znodes: staging.znodes }
  })
  // What cannot be taken away now goes with the session.
  const abandon = Effect.catch(
    during(() => staging.abandon()),
    ({ message }) => Effect.logWarning(`a restore's pieces are still there: ${message}`)
  )
  return Effect.onError(staged, () => abandon)
}

/** As a client of this server's own, who may do everything. */
const dial = ({ server }: Subject) =>
  Effect.tryPromise({
    try: async () => {
      const plain = [...server.all].find(({ settings }) => settings.tls === undefined)
      const address = plain?.door.server.address() as AddressInfo | null | undefined
      if (address === null || address === undefined) throw new Error("a restore needs a client port without TLS")
      const host = address.address === "0.0.0.0" || address.address === "::" ? "127.0.0.1" : address.address
      const client = new ZkClient(host.includes(":") ? `[${host}]:${address.port}` : `${host}:${address.port}`)
      try {
        await client.addAuth("digest", houseCredentials())
        await client.connected(CONNECT_MS)
        return client
      } catch (error) {
        await client.close()
        throw error
      }
    },
    catch: (cause) => refuse(500, messageOf(cause))
  })
