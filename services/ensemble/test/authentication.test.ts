import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { readConfig } from "@zkmesh/config"
import { Effect } from "effect"
import { readAuthentication } from "../src/authentication.ts"
import { jaasUsers } from "../src/jaas.ts"

const JAAS = `
// As ZooKeeper's own documentation has it.
QuorumServer { org.apache.zookeeper.server.auth.DigestLoginModule required user_peer="x"; };
Server {
  org.apache.zookeeper.server.auth.DigestLoginModule required
  user_super="adminsecret" /* the first */
  user_bob="bob\\"s; {secret}"
  other="ignored" # and so is this
  user_al=plain;
};
Client { org.apache.zookeeper.server.auth.DigestLoginModule required username="bob" password="y"; };
`

const of = (text: string) => Effect.flatMap(readConfig({ file: { name: "zoo.cfg", text } }), readAuthentication)
const refusal = (text: string) => Effect.map(Effect.flip(of(text)), (error) => error.message)

describe("a JAAS file", () => {
  it("names the users of its section Server", () => {
    assert.deepStrictEqual(
      [...jaasUsers(JAAS)],
      [
        ["super", "adminsecret"],
        ["bob", 'bob"s; {secret}'],
        ["al", "plain"]
      ]
    )
  })

  it("says what it lacks", () => {
    const module = "x.DigestLoginModule required"
    const wrong: ReadonlyArray<readonly [string, RegExp]> = [
      ["", /no section Server/],
      ['Server { "', /no JAAS/],
      ["Server { com.sun.security.auth.module.Krb5LoginModule required; };", /no DigestLoginModule/],
      [`Server { ${module};};`, /no user_NAME/],
      [`Server { ${module} user_a="b"`, /does not end/],
      [`Server { ${module} user_a= ; };`, /no value for user_a/]
    ]
    for (const [text, message] of wrong) assert.match(String(jaasUsers(text)), message, text)
  })
})

describe("authentication", () => {
  it.effect("is what it has always been by default", () =>
    Effect.gen(function* () {
      const { sasl, required, digest } = yield* of("")
      assert.deepStrictEqual([sasl, required, digest], [undefined, [], { isEnabled: true, algorithm: "sha1" }])
    })
  )

  it.effect("joins the users of a file, a list and the super password", () =>
    Effect.gen(function* () {
      const directory = yield* Effect.acquireRelease(
        Effect.promise(() => mkdtemp(join(tmpdir(), "zkmesh-test-"))),
        (path) => Effect.promise(() => rm(path, { recursive: true }))
      )
      const file = join(directory, "jaas.conf")
      yield* Effect.promise(() => writeFile(file, JAAS))
      const { sasl, required } = yield* of(
        [
          `jaasLoginConfig=${file}`,
          "sasl.users=bob:another,carol:a:b",
          "SASLAuthenticationProvider.superPassword=deep",
          "superUser=super,carol",
          "sessionRequireClientSASLAuth=true"
        ].join("\n")
      )
      assert.deepStrictEqual(Object.fromEntries(sasl!.passwords), {
        super: "deep",
        bob: "another",
        al: "plain",
        carol: "a:b"
      })
      assert.deepStrictEqual([[...sasl!.superUsers], required], [["super", "carol"], ["sasl"]])
    })
  )

  it.effect("is refused where it cannot be what it says", () =>
    Effect.gen(function* () {
      assert.include(yield* refusal("sessionRequireClientSASLAuth=true"), "there is no user")
      assert.include(yield* refusal("enforce.auth.enabled=true"), "needs at least one")
      assert.include(yield* refusal("enforce.auth.enabled=true\nenforce.auth.schemes=kerberos"), "kerberos: expected")
      assert.include(yield* refusal("jaasLoginConfig=/nowhere"), "cannot be read: ENOENT")
      const secret = yield* refusal("sasl.users=hush")
      assert.include(secret, "entry 1 is not user:password")
      assert.notInclude(secret, "hush")
    })
  )
})
