import { loopbackLayer } from "@zkmesh/bus"
import { joinTraces, newTraceId, Telemetry } from "@zkmesh/telemetry"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { serveHttp, traceRoutes } from "../src/index.ts"

const OPTIONS = {
  ensemble: "test",
  messaging: "loopback",
  database: undefined,
  ratio: 0,
  perSecond: 0,
  slowMs: 0,
  failures: "none"
} as const

/** Runs `check` against an admin server; `telemetry` undefined: tracing is off. */
const serving = (telemetry: Telemetry | undefined, check: (url: string) => Promise<void>): Promise<void> =>
  Effect.gen(function* () {
    if (telemetry !== undefined) yield* joinTraces(telemetry)
    const port = yield* serveHttp({ host: "127.0.0.1", port: 0 }, traceRoutes(telemetry))
    yield* Effect.promise(() => check(`http://127.0.0.1:${port}/traces`))
  }).pipe(Effect.scoped, Effect.provide(loopbackLayer), Effect.runPromise)

const post = async (url: string) => {
  const response = await fetch(url, { method: "POST" })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

describe("tracing on demand by HTTP", () => {
  it("traces a session or a path for as long as is asked for, by default a minute", async () => {
    const telemetry = new Telemetry(OPTIONS)
    await serving(telemetry, async (url) => {
      const session = await post(`${url}?session=0x100000001&seconds=5`)
      assert.strictEqual(session.status, 200)
      assert.deepInclude(session.body, { tracing: "session", of: "0x100000001", seconds: 5 })
      const path = await post(`${url}?path=/app`)
      assert.deepInclude(path.body, { tracing: "path", of: "/app", seconds: 60 })
    })
    const { sampler } = telemetry
    const now = performance.now()
    assert.isTrue(sampler.decide({ session: 2 ** 32 + 1, paths: () => [] }, now))
    assert.isTrue(sampler.decide({ session: 1, paths: () => ["/app/below"] }, now))
    assert.isFalse(sampler.decide({ session: 1, paths: () => ["/other"] }, now))
  })

  it("shows a trace's spans, and a session's latest", async () => {
    const telemetry = new Telemetry(OPTIONS)
    const traceId = newTraceId()
    telemetry.tracer("frontend", "frontend.1", 0).record({
      traceId,
      spanId: "0000000000000001",
      parentId: "",
      name: "zookeeper/create",
      kind: 1,
      start: 0,
      end: 1,
      attributes: { "zookeeper.session.id": "0x5" }
    })
    await serving(telemetry, async (url) => {
      for (const subject of [traceId, "0x5"]) {
        const { spans } = (await (await fetch(`${url}/${subject}`)).json()) as {
          spans: ReadonlyArray<{ name: string }>
        }
        assert.deepStrictEqual(
          spans.map((span) => span.name),
          ["zookeeper/create"]
        )
      }
      assert.deepStrictEqual(await (await fetch(`${url}/0x6`)).json(), { spans: [] })
    })
  })

  it("says what is wrong with a question", async () => {
    await serving(new Telemetry(OPTIONS), async (url) => {
      for (const query of ["", "?session=5", "?path=app", "?path=/app&seconds=1e9", "?path=/app&seconds=x"]) {
        const { status, body } = await post(`${url}${query}`)
        assert.strictEqual(status, 400, query)
        assert.property(body, "error")
      }
      assert.strictEqual((await fetch(`${url}/nonsense`)).status, 400)
    })
    await serving(undefined, async (url) => {
      assert.match(String((await post(`${url}?path=/app`)).body["error"]), /telemetry\.traces=false/)
    })
  })
})
