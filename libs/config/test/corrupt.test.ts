import { assert, it } from "@effect/vitest"
import { ConfigError, readConfig } from "@zkmesh/config"
import { Effect, Schema } from "effect"

const LINES = [
  "tickTime=2000",
  "initLimit = 10",
  "syncLimit:5",
  "dataDir=/var/lib/zookeeper",
  "clientPort 2181",
  "server.1=zoo1:2888:3888;2181",
  "server.2=[::1]:2888:3888:observer;[::1]:2182",
  "server.3=a:1:2|b:3:4:participant;2183",
  "4lw.commands.whitelist=ruok, srvr",
  "ssl.clientAuth=want",
  "postgres.url=postgres://u:p@h{id}/d",
  "postgres.url.2=postgres://x",
  "autopurge.snapRetainCount=3",
  "long\\\n  key=\\u0041\\t",
  "# a comment"
]
const PIECES = [
  "=",
  ":",
  ";",
  "|",
  "\\",
  "\\u",
  "\\u12",
  "\n",
  "\r",
  " ",
  ",",
  "[",
  "]",
  "{id}",
  "-1",
  "0",
  "1e9",
  "NaN"
]
const ODD = ["99999999999999999999", "\u0000", "ünï", "__proto__=1", "constructor=2", "server.=", "server.0=a:1:2"]

const line = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: LINES.length - 1 }))
const piece = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: PIECES.length + ODD.length - 1 }))
const place = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 200 }))

/** Reads it: a configuration, or an error that names the file and has a sentence to say. Anything else is a defect. */
const judged = (text: string) =>
  readConfig({ file: { name: "zoo.cfg", text } }).pipe(
    Effect.map(() => "read"),
    Effect.catch((error) => {
      assert.instanceOf(error, ConfigError)
      assert.notStrictEqual(error.message, "")
      return Effect.succeed("refused")
    })
  )

it.effect.prop(
  "a zoo.cfg of known lines, with anything in between, is read or refused with a ConfigError",
  [Schema.Array(line), Schema.Array(Schema.Tuple([place, piece, place]))],
  ([lines, changes]) =>
    Effect.gen(function* () {
      let text = lines.map((index) => LINES[index]).join("\n")
      for (const [at, index, cut] of changes) {
        text = text.slice(0, at) + [...PIECES, ...ODD][index] + text.slice(at + (cut % 5))
      }
      yield* judged(text)
    }),
  { arbitrary: { runs: 500 } }
)

it.effect.prop("any text at all is read or refused with a ConfigError", [Schema.String], ([text]) =>
  Effect.asVoid(judged(text))
)

it.effect("a key that every object has is no key of ours", () =>
  Effect.gen(function* () {
    for (const key of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
      assert.strictEqual(yield* judged(`${key}=1`), "refused", key)
    }
  })
)
