import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { type Config, readConfig } from "@zkmesh/config"
import { Effect } from "effect"
import { leaderOf } from "../src/announce.ts"
import { claimDataDir, inspectDataDir } from "../src/dataDir.ts"
import { plan } from "../src/plan.ts"
import { checkPorts } from "../src/ports.ts"
import type { PeerStatus } from "../src/roles.ts"

const temporary = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "zkmesh-test-"))),
  (directory) => Effect.promise(() => rm(directory, { recursive: true }))
)
const configOf = (text: string): Effect.Effect<Config> => Effect.orDie(readConfig({ file: { name: "zoo.cfg", text } }))
const THREE = { voters: [1, 2, 3], observers: [] }

describe("the data directory", () => {
  it.effect("is taken when there is nothing but an unfinished start in it, and known again", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporary, "below", "data")
      yield* Effect.promise(() => mkdir(directory, { recursive: true }))
      yield* Effect.promise(() => writeFile(join(directory, "zkmesh.json.new"), "{"))
      assert.isUndefined(yield* inspectDataDir(directory))
      yield* claimDataDir(directory, undefined, THREE)
      assert.deepStrictEqual(yield* inspectDataDir(directory), THREE)
      assert.deepStrictEqual(yield* Effect.promise(() => readdir(directory)), ["zkmesh.json"])
    })
  )

  it.effect("of somebody else is refused and left alone", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      yield* Effect.promise(() => writeFile(join(directory, "thesis.txt"), "x"))
      const error = yield* Effect.flip(inspectDataDir(directory))
      assert.include(error.message, `${directory}: this is no data directory of zkmesh`)
      assert.deepStrictEqual(yield* Effect.promise(() => readdir(directory)), ["thesis.txt"])
      const file = yield* Effect.flip(inspectDataDir(join(directory, "thesis.txt")))
      assert.include(file.message, "cannot be read")
    })
  )

  it.effect("with a damaged marker is refused", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      yield* Effect.promise(() => writeFile(join(directory, "zkmesh.json"), '{"format":2}'))
      assert.include((yield* Effect.flip(inspectDataDir(directory))).message, "damaged")
    })
  )

  it.effect("keeps its voters: others could elect a leader that lacks what was acknowledged", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      const error = yield* Effect.flip(claimDataDir(directory, THREE, { voters: [1, 2, 3, 4, 5], observers: [] }))
      assert.include(error.message, "holds the data of 3 voting peers (1, 2, 3), not of 5")
      yield* claimDataDir(directory, THREE, { voters: [1, 2, 3], observers: [4] })
      assert.deepStrictEqual((yield* inspectDataDir(directory))?.observers, [4])
    })
  )
})

describe("the plan", () => {
  it.effect("of an ensemble that was reconfigured is what it has agreed on, whatever file and flags say", () =>
    Effect.gen(function* () {
      const config = yield* configOf("reconfigEnabled=true")
      const first = plan(config, { peers: 2 }, undefined)
      assert.strictEqual(
        first.config.membership,
        [
          "server.1=127.0.0.1:2888:3888:participant;127.0.0.1:2181",
          "server.2=127.0.0.1:2889:3889:participant;127.0.0.1:2182",
          "version=0"
        ].join("\n")
      )
      const configuration = [
        "server.2=127.0.0.1:2889:3889:participant;127.0.0.1:2182",
        "server.7=127.0.0.1:1:2:participant;127.0.0.1:3000",
        "server.9=127.0.0.1:3:4:observer;127.0.0.1:4000",
        "version=100000005"
      ].join("\n")
      const found = { voters: [2, 7], observers: [9], configuration }
      const next = plan(config, { peers: 3, portFlagged: true }, found)
      assert.deepStrictEqual(
        next.seats.map(({ sid, endpoint }) => `${sid} ${endpoint.port}`),
        ["2 2182", "7 3000", "9 4000"]
      )
      assert.deepStrictEqual(next.members, { voters: [2, 7], observers: [9] })
      assert.strictEqual(next.config.membership, configuration.replace("100000005", "0"))
      const directory = join(yield* temporary, "data")
      yield* claimDataDir(directory, undefined, found)
      assert.deepStrictEqual(yield* inspectDataDir(directory), found)
    })
  )

  const seats = (config: Config, peers?: number) =>
    plan(config, { peers }, undefined).seats.map(({ sid, endpoint }) => `${sid} ${endpoint.host}:${endpoint.port}`)

  it.effect("is three peers on this machine's ports 2181, 2182, 2183", () =>
    Effect.gen(function* () {
      const config = yield* configOf("")
      assert.deepStrictEqual(seats(config), ["1 127.0.0.1:2181", "2 127.0.0.1:2182", "3 127.0.0.1:2183"])
      assert.lengthOf(seats(config, 5), 5)
      assert.deepStrictEqual(plan(config, {}, { voters: [1], observers: [2] }).members.observers, [2])
    })
  )

  it.effect("has the servers of a zoo.cfg; ports that they share are counted on from clientPort", () =>
    Effect.gen(function* () {
      const shared = yield* configOf("clientPort=3000\nserver.1=a:1:2;2181\nserver.7=b:1:2:observer;2181")
      assert.deepStrictEqual(seats(shared), ["1 127.0.0.1:3000", "7 127.0.0.1:3001"])
      assert.deepStrictEqual(plan(shared, {}, undefined).members, { voters: [1], observers: [7] })
      const own = yield* configOf("clientPort=3000\nserver.1=a:1:2;4001\nserver.2=b:1:2;4009")
      assert.deepStrictEqual(seats(own), ["1 127.0.0.1:4001", "2 127.0.0.1:4009"])
      const flagged = plan(own, { portFlagged: true }, undefined).seats
      assert.deepStrictEqual(
        flagged.map((seat) => seat.endpoint.port),
        [3000, 3001]
      )
      assert.throws(() => plan(own, { peers: 3 }, undefined), /the configuration names 2 servers/)
    })
  )

  it.effect("does not run out of ports", () =>
    Effect.gen(function* () {
      const config = yield* configOf("clientPort=65534")
      assert.throws(() => plan(config, { peers: 3 }, undefined), /leaves no port for peer 3/)
    })
  )
})

describe("ports", () => {
  it.effect("that are taken are named before anything starts", () =>
    Effect.gen(function* () {
      const server = yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const listening = createServer().listen(0, "127.0.0.1", () => resume(Effect.succeed(listening)))
        }),
        (open) => Effect.promise(() => new Promise<void>((resolve) => open.close(() => resolve())))
      )
      const address = server.address()
      assert.isTrue(typeof address === "object" && address !== null)
      const { port } = address as { port: number }
      const error = yield* Effect.flip(checkPorts([{ host: "127.0.0.1", port }], ": try --port"))
      assert.strictEqual(error.message, `port ${port} on 127.0.0.1 is in use: try --port`)
      yield* checkPorts([{ host: "127.0.0.1", port: 0 }], "")
      const elsewhere = yield* Effect.flip(checkPorts([{ host: "192.0.2.1", port: 0 }], ""))
      assert.strictEqual(elsewhere.message, "192.0.2.1 is no address of this machine")
    })
  )
})

describe("the leader", () => {
  it("is the one that leads and serves, in the highest epoch", () => {
    const old = { role: "leading", serving: true, epoch: 1 } as const
    const next = { role: "leading", serving: true, epoch: 2 } as const
    assert.deepStrictEqual(leaderOf(new Map([[1, old]])), { sid: 1, epoch: 1 })
    assert.deepStrictEqual(
      leaderOf(
        new Map<number, PeerStatus>([
          [1, old],
          [2, next]
        ])
      ),
      { sid: 2, epoch: 2 }
    )
    assert.isUndefined(
      leaderOf(
        new Map([
          [1, { ...old, serving: false }],
          [2, { ...next, role: "following" as const }]
        ])
      )
    )
  })
})
