/**
 * `restore`: the body is a snapshot, and what is in it becomes the ensemble's state again.
 *
 * ZooKeeper replaces the tree of one server behind the back of the others, and has to be told so on each of them. Here the
 * differences go through the leader as ordinary transactions: every peer takes them in the same order, the log has them,
 * and no peer's tree ever differs from another's. It has to be done once, on whichever server. Paths, data, ACLs and kinds
 * come back; versions and zxids go on from where they are, as after any write. Ephemeral nodes are not brought back (their
 * sessions are not, either), those that are there now go. What fits one transaction is there at once, more of it little
 * by little.
 */
import type { AddressInfo } from "node:net"
import { ZkClient } from "@zkmesh/client"
import { hex } from "@zkmesh/numbers"
import { houseCredentials } from "@zkmesh/service-frontend"
import { CorruptSnapshot, SnapshotReader, type StoredNode } from "@zkmesh/store"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Stream from "effect/Stream"
import { json } from "../http.ts"
import type { Subject } from "./command.ts"
import { authorized, RateLimit, Refused } from "./guard.ts"
import { restoreTree } from "./restoreTree.ts"

export interface RestoreOptions {
  readonly isEnabled: boolean
  readonly intervalMs: number
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
    yield* authorized(subject.server, request)
    if (request.headers["content-length"] === "0") return yield* refuse(400, "Restore needs a snapshot as its body")
    if (!limit.admits(performance.now())) {
      limited.add()
      return yield* refuse(429, "Rate limit exceeded: a snapshot was restored a moment ago")
    }
    const startedAt = performance.now()
    const nodes = yield* readBody(request)
    const zxid = yield* Effect.tryPromise({
      try: () => apply(subject, nodes),
      catch: (cause) => refuse(500, messageOf(cause))
    }).pipe(Effect.tapError(() => Effect.sync(() => errors.add())))
    time.record(performance.now() - startedAt)
    yield* Effect.logInfo(`a snapshot of ${nodes.length} znodes has been restored`)
    return json({ last_zxid: hex(zxid), command: "restore", error: null })
  })
  const answer = (request: HttpServerRequest) =>
    Effect.catch(restore(request), ({ status, message }) =>
      Effect.succeed(json({ command: "restore", error: message }, status))
    )
  return ["restore", "rest"].map((name) => HttpRouter.add("POST", `${base}/${name}` as `/${string}`, answer))
}

/** Every znode of the snapshot; one that is damaged or cut short changes nothing. */
const readBody = (request: HttpServerRequest): Effect.Effect<ReadonlyArray<StoredNode>, Refused> =>
  Effect.gen(function* () {
    const reader = new SnapshotReader()
    const nodes: Array<StoredNode> = []
    yield* Stream.runForEach(request.stream, (chunk) =>
      Effect.try({
        try: () => {
          for (const node of reader.read(chunk).nodes) nodes.push(node)
        },
        catch: (cause) => refuse(cause instanceof CorruptSnapshot ? 400 : 500, messageOf(cause))
      })
    ).pipe(Effect.mapError((error) => (error instanceof Refused ? error : refuse(400, messageOf(error)))))
    if (!reader.finished) return yield* refuse(400, "the body ends before the snapshot does")
    return nodes
  })

/** As a client of this server's own, who may do everything. */
const apply = async ({ server }: Subject, nodes: ReadonlyArray<StoredNode>): Promise<number> => {
  const plain = [...server.all].find(({ settings }) => settings.tls === undefined)
  const address = plain?.door.server.address() as AddressInfo | null | undefined
  if (address === null || address === undefined) throw new Error("a restore needs a client port without TLS")
  const host = address.address === "0.0.0.0" || address.address === "::" ? "127.0.0.1" : address.address
  const client = new ZkClient(host.includes(":") ? `[${host}]:${address.port}` : `${host}:${address.port}`)
  try {
    await client.addAuth("digest", houseCredentials())
    await client.connected(CONNECT_MS)
    await restoreTree(client, nodes)
    await client.sync()
    return server.settled?.peer.status.zxid ?? 0
  } finally {
    await client.close()
  }
}
