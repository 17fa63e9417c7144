import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { loadConfig } from "@zkmesh/config"
import { Effect } from "effect"

/** The configuration that a zoo.cfg of these lines makes, with a dynamic file beside it. */
const load = (lines: ReadonlyArray<string>, dynamic: ReadonlyArray<string> | undefined) =>
  Effect.acquireUseRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "zkmesh-config-"))),
    (directory) =>
      Effect.gen(function* () {
        const [file, members] = [join(directory, "zoo.cfg"), join(directory, "zoo.cfg.dynamic")]
        yield* Effect.promise(() => writeFile(file, [...lines, `dynamicConfigFile=${members}`].join("\n")))
        if (dynamic !== undefined) yield* Effect.promise(() => writeFile(members, dynamic.join("\n")))
        return yield* loadConfig(file, {})
      }),
    (directory) => Effect.promise(() => rm(directory, { recursive: true }))
  )

describe("a dynamic configuration file", () => {
  it.live("holds the membership, groups and weights included", () =>
    Effect.gen(function* () {
      const members = ["server.2=b:2888:3888;2182", "server.1=a:2888:3888;2181", "group.1=1:2", "weight.2=0"]
      const config = yield* load(["tickTime=100"], members)
      assert.deepStrictEqual(
        config.servers.map(({ sid }) => sid),
        [1, 2]
      )
      assert.strictEqual(
        config.membership,
        [
          "server.1=a:2888:3888:participant;0.0.0.0:2181",
          "server.2=b:2888:3888:participant;0.0.0.0:2182",
          "group.1=1:2",
          "weight.2=0",
          "version=0"
        ].join("\n")
      )
    })
  )

  it.live.each([
    [["server.1=a:1:2"], ["server.2=a:1:2"], /server\.1: belongs into .*zoo\.cfg\.dynamic, the dynamicConfigFile/],
    [[], ["server.1=a:1:2", "tickTime=5"], /zoo\.cfg\.dynamic:2: tickTime: does not belong into a dynamicConfigFile/],
    [[], ["server.1=a:1:2", "group.1=1:2"], /group\.N: group 1: there is no voting server 2/],
    [[], undefined, /zoo\.cfg\.dynamic: there is no such file/]
  ] as const)("%j with %j is refused", ([lines, dynamic, message]) =>
    Effect.map(Effect.flip(load(lines, dynamic)), (error) => assert.match(error.message, message))
  )
})
