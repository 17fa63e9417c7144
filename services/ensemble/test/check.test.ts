import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { readConfig } from "@zkmesh/config"
import { Effect } from "effect"
import { TestConsole } from "effect/testing"
import { begun, mayVoteBlank } from "../src/blank.ts"
import { checkConfiguration } from "../src/check.ts"
import { initialize } from "../src/initialize.ts"

const configOf = (text: string) => readConfig({ file: { name: "zoo.cfg", text } })

/** What an effect prints, line by line; the console is the test's own. */
const printed = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    yield* effect
    const [out, err] = [yield* TestConsole.logLines, yield* TestConsole.errorLines]
    return { out: out.map(String), err: err.map(String) }
  })

const temporary = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "zkmesh-test-"))),
  (directory) => Effect.promise(() => rm(directory, { recursive: true }))
)

const MEMBERS = "server.1=a:1:2;3\nserver.2=b:1:2;3\nserver.3=c:1:2;3\n"

describe("a configuration that is checked", () => {
  it.effect("is shown as it comes to, without its secrets, and with its warnings", () =>
    Effect.gen(function* () {
      const text = `tickTime=1234\nnio.numWorkerThreads=4\n${MEMBERS}postgres.url=postgres://u:secret@h{id}/d\npeer.id=2`
      const { out, err } = yield* printed(checkConfiguration(yield* configOf(text), true))
      assert.include(out, "tickTime=1234")
      assert.include(out, "peer.id=2")
      assert.include(out, "initLimit=10    # default")
      assert.include(out, "postgres.url=postgres://u:***@h{id}/d")
      assert.isTrue(out.some((line) => line.startsWith("server.3=c:1:2:participant;")))
      assert.strictEqual(out.at(-1), "# 3 voting, 0 observing, store postgres: this can be run")
      assert.notInclude([...out, ...err].join(), "secret")
      assert.match(err.join(), /^warning: zoo\.cfg:2: nio\.numWorkerThreads has no effect/)
    })
  )

  it.effect("is refused with the key named, before anything is printed", () =>
    Effect.gen(function* () {
      for (const [text, hasId, message] of [
        ["secureClientPort=2281", false, /secureClientPort: needs ssl\.keyStore\.location/],
        [`${MEMBERS}peer.id=9`, true, /server\.9: the configuration has no such line/],
        [MEMBERS, true, /peer\.id: which server\.N is this/]
      ] as const) {
        const error = yield* Effect.flip(printed(checkConfiguration(yield* configOf(text), hasId)))
        assert.match(error.message, message)
      }
      // Which peer it is for is told at the start.
      yield* printed(checkConfiguration(yield* configOf(MEMBERS), false))
    })
  )
})

describe("a server's directory", () => {
  it.effect("gets its myid once", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporary, "3")
      const config = yield* configOf(`dataDir=${directory}`)
      const myid = () => Effect.promise(() => readFile(join(directory, "myid"), "utf8"))
      yield* printed(initialize(config, 3, false))
      assert.strictEqual(yield* myid(), "3\n")
      assert.match((yield* Effect.flip(printed(initialize(config, 4, false)))).message, /holds myid already/)
      assert.strictEqual(yield* myid(), "3\n")
      yield* printed(initialize(config, 4, true))
      assert.strictEqual(yield* myid(), "4\n")
      assert.match((yield* Effect.flip(printed(initialize(config, 999, true)))).message, /from 1 to 255/)
    })
  )

  it.effect("says that an empty database is a new one, until the server has begun", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      const config = yield* configOf(`dataDir=${directory}\ndb.autocreate=false`)
      assert.isFalse(yield* mayVoteBlank(config))
      assert.isTrue(yield* mayVoteBlank(yield* configOf(`dataDir=${directory}`)))
      yield* printed(initialize(config, 1, false))
      assert.isTrue(yield* mayVoteBlank(config))
      yield* begun(config)
      yield* begun(config)
      assert.isFalse(yield* mayVoteBlank(config))
    })
  )
})
