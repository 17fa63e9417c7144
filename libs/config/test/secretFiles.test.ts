import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { type Environment, loadConfig, postgresUrlOf } from "@zkmesh/config"
import { Effect } from "effect"

/** What an environment comes to whose `…_FILE` variables name files of these texts. */
const load = (texts: Readonly<Record<string, string>>, environment: Environment = {}) =>
  Effect.acquireUseRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "zkmesh-secrets-"))),
    (directory) =>
      Effect.gen(function* () {
        const variables: Record<string, string | undefined> = { ...environment }
        for (const [variable, text] of Object.entries(texts)) {
          variables[variable] = join(directory, variable)
          yield* Effect.promise(() => writeFile(join(directory, variable), text))
        }
        return yield* loadConfig(undefined, { environment: variables })
      }),
    (directory) => Effect.promise(() => rm(directory, { recursive: true }))
  )
const refusal = (texts: Readonly<Record<string, string>>, environment: Environment = {}) =>
  Effect.map(Effect.flip(load(texts, environment)), (error) => error.message)

describe("variables that name files", () => {
  it.live("have the values that the files hold, without the end of their line", () =>
    Effect.gen(function* () {
      const config = yield* load(
        {
          ZKMESH_NATS_PASSWORD_FILE: "s3cret\n",
          ZKMESH_POSTGRES_PASSWORD_FILE: "a/b@c:d e",
          ZKMESH_POSTGRES_URL_9_FILE: "postgres://nine:own@db9/z\r\n"
        },
        { ZKMESH_NATS_USER: "me", ZKMESH_POSTGRES_URL: "postgres://zkmesh@db{id}/zkmesh" }
      )
      assert.strictEqual(config.knobs["nats.password"], "s3cret")
      assert.strictEqual(postgresUrlOf(config, 2), "postgres://zkmesh:a%2Fb%40c%3Ad%20e@db2/zkmesh")
      assert.strictEqual(postgresUrlOf(config, 9), "postgres://nine:own@db9/z")
      assert.deepStrictEqual(config.notices, [])
    })
  )

  it.live("are refused where a value cannot be had, or is given twice", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* refusal({}, { ZKMESH_NATS_TOKEN_FILE: "/nowhere/token" }),
        "ZKMESH_NATS_TOKEN_FILE: /nowhere/token: there is no such file"
      )
      assert.strictEqual(yield* refusal({ ZKMESH_NATS_TOKEN_FILE: "\n" }), "ZKMESH_NATS_TOKEN_FILE: the file is empty")
      assert.strictEqual(
        yield* refusal({ ZKMESH_NATS_TOKEN_FILE: "a" }, { ZKMESH_NATS_TOKEN: "b" }),
        "ZKMESH_NATS_TOKEN_FILE: ZKMESH_NATS_TOKEN is set as well: either the value or its file"
      )
    })
  )

  it.live("are only mentioned where they are none of ours", () =>
    Effect.gen(function* () {
      const { notices } = yield* load({ ZKMESH_NATS_PASWORD_FILE: "x" })
      assert.lengthOf(notices, 1)
      assert.include(notices[0], "ZKMESH_NATS_PASWORD_FILE is none of ours")
    })
  )
})
