/** What real processes do to each other's links when they die, stop and go on. */
import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { assert, describe, it } from "@effect/vitest"
import { natsLayer } from "@zkmesh/bus"
import { Effect } from "effect"
import { process as aProcess, broken, dial, messages, opened } from "./ends.ts"
import { hasNats, natsServer } from "./natsServer.ts"

// The workspace's own Node: the one that starts the tests may be older and not run TypeScript.
const node = join(import.meta.dirname, "../../../node_modules/.bin/node")

const echoProcess = (servers: string) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<ChildProcess>((resolve, reject) => {
          const child = spawn(node, [join(import.meta.dirname, "echo.ts"), servers], {
            stdio: ["ignore", "pipe", "inherit"]
          })
          createInterface({ input: child.stdout! }).on("line", (line) => {
            if (line === "listening") resolve(child)
          })
          child.once("exit", (code) => reject(new Error(`echo exits with ${code}`)))
        })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

const setUp = (limitMs: number) =>
  Effect.gen(function* () {
    const server = yield* natsServer()
    const child = yield* echoProcess(server.url)
    const bus = yield* aProcess(natsLayer({ servers: server.url, ensemble: "test" }))
    const { link, events } = yield* dial(bus, "session.1", "echo.1", { limitMs })
    yield* opened(events)
    link.send("hello")
    assert.deepStrictEqual(yield* messages(events, 1), ["hello"])
    return { bus, child, link, events }
  })

describe.skipIf(!hasNats)("another process", () => {
  it.live("that is killed is dead within 200 ms", () =>
    Effect.gen(function* () {
      const { child, events } = yield* setUp(10_000)
      const at = performance.now()
      child.kill("SIGKILL")
      assert.strictEqual((yield* broken(events)).reason, "dead")
      assert.isBelow(performance.now() - at, 200)
    }).pipe(Effect.scoped)
  )

  it.live("that stands still keeps its links until their limit", () =>
    Effect.gen(function* () {
      const { bus, child, link, events } = yield* setUp(1000)
      child.kill("SIGSTOP")
      yield* Effect.sleep("600 millis")
      assert.isTrue(link.isOpen)
      child.kill("SIGCONT")
      link.send("still there?")
      assert.deepStrictEqual(yield* messages(events, 1), ["still there?"])

      const at = performance.now()
      child.kill("SIGSTOP")
      assert.strictEqual((yield* broken(events)).reason, "silent")
      const tookMs = performance.now() - at
      assert.isTrue(tookMs >= 900 && tookMs < 1500, `${tookMs} ms`)

      // Dialling one that stands still is silent too; when it goes on it forgets the links that were given up.
      const waiting = yield* dial(bus, "session.1", "echo.1", { limitMs: 300 })
      assert.strictEqual((yield* broken(waiting.events)).reason, "silent")
      child.kill("SIGCONT")
      const again = yield* dial(bus, "session.1", "echo.1")
      yield* opened(again.events)
      again.link.send("welcome back")
      assert.deepStrictEqual(yield* messages(again.events, 1), ["welcome back"])
    }).pipe(Effect.scoped)
  )
})
