import { mkdtempSync, rmSync } from "node:fs"
import { request as plainRequest } from "node:http"
import { request as secureRequest } from "node:https"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TLSSocket } from "node:tls"
import { Health } from "@zkmesh/health"
import { type FrontendTls, TlsError, type TlsMaterial } from "@zkmesh/service-frontend"
import { Effect } from "effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Authority, type Issued } from "../../frontend/test/authority.ts"
import { healthRoutes, serveHttp } from "../src/index.ts"

let directory: string
let ours: Authority
let server: Issued
let alice: Issued

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "zkmesh-test-"))
  ours = Authority.make(directory, "ours")
  server = ours.issue("server", "/CN=localhost")
  alice = ours.issue("alice", "/CN=alice")
})
afterAll(() => rmSync(directory, { recursive: true }))

const serving = (tls: FrontendTls, check: (port: number) => Promise<void>): Promise<void> =>
  Effect.gen(function* () {
    const port = yield* serveHttp({ host: "127.0.0.1", port: 0, tls }, healthRoutes(new Health()))
    yield* Effect.promise(() => check(port))
  }).pipe(Effect.scoped, Effect.runPromise)

/** The status of `/health/live`, and by whose certificate; rejects if the connection is refused. */
const live = (port: number, tls?: { readonly cert?: string; readonly key?: string; readonly ca: string }) =>
  new Promise<string>((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path: "/health/live", agent: false }
    const asked = tls === undefined ? plainRequest(options) : secureRequest({ ...options, ...tls })
    asked.once("response", (response) => {
      const { socket } = response
      const subject = "getPeerX509Certificate" in socket ? (socket as TLSSocket) : undefined
      resolve(`${response.statusCode} ${subject?.getPeerX509Certificate()?.subject ?? "plain"}`)
      response.resume()
    })
    asked.once("error", reject)
    asked.end()
  })

const refused = (answer: Promise<string>): Promise<void> =>
  answer.then(
    (text) => assert.fail(`was answered: ${text}`),
    (error: unknown) => assert.instanceOf(error, Error)
  )

describe("HTTPS", () => {
  it("is spoken beside HTTP by one port, or alone", async () => {
    const material = { cert: server.cert, key: server.key, clientAuth: "none" } as const
    await serving({ ...material, unified: true }, async (port) => {
      assert.strictEqual(await live(port), "200 plain")
      assert.strictEqual(await live(port, { ca: ours.cert }), "200 CN=localhost")
    })
    await serving(material, async (port) => {
      await refused(live(port))
      assert.strictEqual(await live(port, { ca: ours.cert }), "200 CN=localhost")
    })
  })

  it("asks for certificates where they are needed", () =>
    serving({ cert: server.cert, key: server.key, ca: ours.cert, clientAuth: "need" }, async (port) => {
      await refused(live(port, { ca: ours.cert }))
      assert.strictEqual(await live(port, { ca: ours.cert, cert: alice.cert, key: alice.key }), "200 CN=localhost")
    }))

  it("shows a renewed certificate, and none that cannot be used", async () => {
    const next = ours.issue("next", "/CN=renewed")
    let stamp = "1"
    let material: TlsMaterial = { cert: server.cert, key: server.key }
    let looked = 0
    const source = {
      stamp: Effect.sync(() => {
        looked++
        return stamp
      }),
      read: Effect.suspend(() =>
        stamp === "unreadable" ? Effect.fail(new TlsError({ message: "no such file" })) : Effect.succeed(material)
      ),
      everyMs: 10
    }
    const seen = async (): Promise<void> => {
      const before = looked
      while (looked < before + 2) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await serving({ clientAuth: "none", source }, async (port) => {
      stamp = "unreadable"
      await seen()
      material = { cert: next.cert, key: server.key }
      stamp = "2"
      await seen()
      assert.strictEqual(await live(port, { ca: ours.cert }), "200 CN=localhost")
      material = { cert: next.cert, key: next.key }
      stamp = "3"
      await seen()
      assert.strictEqual(await live(port, { ca: ours.cert }), "200 CN=renewed")
    })
  })
})
