/** What a knob is declared with: its schema, default and what is said about it. */
import { isIP } from "node:net"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"

/** `zookeeper`: the same name and meaning as in ZooKeeper. `mapped`: accepted, means something close. `zkmesh`: ours. */
export type Origin = "zookeeper" | "mapped" | "zkmesh"

export interface About {
  readonly unit: string
  readonly origin: Origin
  readonly meaning: string
  /** What a knob without a default of its own falls back to. */
  readonly otherwise?: string
}

declare module "effect/Schema" {
  namespace Annotations {
    interface Annotations {
      readonly "~zkmesh/knob"?: (About & { readonly default: string | undefined }) | undefined
    }
  }
}

export const whole = (min: number, max: number) =>
  Schema.String.check(Schema.isPattern(/^-?\d+$/, { expected: "a whole number" })).pipe(
    Schema.decodeTo(
      Schema.Number.check(
        Schema.isBetween({ minimum: min, maximum: max }, { expected: `a whole number from ${min} to ${max}` })
      ),
      SchemaTransformation.numberFromString
    )
  )

export const text = Schema.String.check(Schema.isNonEmpty({ expected: "a value" }))

export const words = Schema.String.pipe(
  Schema.decodeTo(
    Schema.Array(Schema.String),
    SchemaTransformation.transform({
      decode: (line): ReadonlyArray<string> =>
        line
          .split(",")
          .map((word) => word.trim())
          .filter((word) => word !== ""),
      encode: (list) => list.join(",")
    })
  )
)

/** Addresses, networks as 10.0.0.0/8 or fd00::/8, and names of hosts. */
export const proxies = words.check(
  Schema.makeFilter((list: ReadonlyArray<string>) => {
    const wrong = list.find((one) => !isProxy(one))
    return wrong === undefined
      ? undefined
      : `expected addresses, networks (10.0.0.0/8) and names of hosts, not ${wrong}`
  })
)

const isProxy = (text: string): boolean => {
  const [address, prefix, ...rest] = text.split("/")
  const family = isIP(address!)
  if (family === 0)
    return prefix === undefined && /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/.test(text) && !/^[\d.]+$/.test(text)
  return (
    prefix === undefined ||
    (rest.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128))
  )
}

export const flag = Schema.String.check(Schema.isPattern(/^(true|false)$/i, { expected: "true or false" })).pipe(
  Schema.decodeTo(
    Schema.Boolean,
    SchemaTransformation.transform({
      decode: (word): boolean => word.toLowerCase() === "true",
      encode: (value) => `${value}`
    })
  )
)

export const INT = 2 ** 31 - 1
export const count = whole(0, INT)
export const positive = whole(1, INT)
export const port = whole(1, 65_535)

/** A token of NATS's subjects: no blanks, dots or wildcards. */
export const name = Schema.String.check(
  Schema.isPattern(/^[A-Za-z0-9_-]+$/, { expected: "letters, digits, '-' and '_' only" })
)

type Encoded = Schema.Constraint & { readonly Encoded: string }

/** A knob with a default, written as it would be in zoo.cfg. */
export const knob = <S extends Encoded & Schema.Top>(schema: S, fallback: S["Encoded"], about: About) =>
  schema
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(fallback)))
    .annotate({ "~zkmesh/knob": { ...about, default: fallback } })

/** A knob that may be absent. */
export const maybe = <S extends Encoded & Schema.Top>(schema: S, about: About) =>
  Schema.optionalKey(schema.annotate({ "~zkmesh/knob": { ...about, default: undefined } }))

export const zookeeper = (unit: string, meaning: string): About => ({ unit, origin: "zookeeper", meaning })
export const mapped = (unit: string, meaning: string): About => ({ unit, origin: "mapped", meaning })
export const ours = (unit: string, meaning: string): About => ({ unit, origin: "zkmesh", meaning })

/** A number from 0 to 1. */
export const fraction = Schema.String.check(
  Schema.isPattern(/^(0|1|0?\.\d+|1\.0+)$/, { expected: "a number from 0 to 1" })
).pipe(Schema.decodeTo(Schema.Number, SchemaTransformation.numberFromString))
