/** Field by field, what two servers said to the same script. */
import type { Shown, Step } from "./stage.ts"

export interface Difference {
  /** `scenario › step › connection.number.field` */
  readonly at: string
  readonly zookeeper: string
  readonly zkmesh: string
}

/** A difference that is meant to be. It has to be found, just as it is written here. */
export interface Intended extends Difference {
  readonly reason: string
}

const flatten = (value: Shown, at: string, into: Map<string, string>): Map<string, string> => {
  if (value === null || typeof value !== "object") return into.set(at, JSON.stringify(value))
  const entries = Object.entries(value)
  if (entries.length === 0) into.set(at, Array.isArray(value) ? "[]" : "{}")
  for (const [name, one] of entries) flatten(one, `${at}.${name}`, into)
  return into
}

const fieldsOf = ({ heard }: Step): Map<string, string> => {
  const fields = new Map<string, string>()
  for (const [connection, all] of Object.entries(heard)) {
    all.forEach((one, i) => void flatten(one, `${connection}.${i}`, fields))
  }
  return fields
}

const NOTHING = "nothing"
/** What a reply says besides is implied by how it went. */
const IMPLIED = /^(?<reply>\S+?\.\d+)\.(?!error$|zxid$|xid$|reply$)/

/** Every field in which they differ. The scripts are the same, or there is nothing to compare. */
export const compare = (zookeeper: ReadonlyArray<Step>, zkmesh: ReadonlyArray<Step>): ReadonlyArray<Difference> => {
  const differences: Array<Difference> = []
  for (const [i, step] of zookeeper.entries()) {
    const other = zkmesh[i]
    const name = `${step.scenario} › ${step.step}`
    if (other === undefined || `${other.scenario} › ${other.step}` !== name) {
      throw new Error(`${name} is where the scripts part, at ${other?.scenario} › ${other?.step}`)
    }
    const [theirs, ours] = [fieldsOf(step), fieldsOf(other)]
    for (const field of new Set([...theirs.keys(), ...ours.keys()])) {
      const [a, b] = [theirs.get(field) ?? NOTHING, ours.get(field) ?? NOTHING]
      const reply = IMPLIED.exec(field)?.groups?.["reply"]
      if (reply !== undefined && theirs.get(`${reply}.error`) !== ours.get(`${reply}.error`)) continue
      if (a !== b) differences.push({ at: `${name} › ${field}`, zookeeper: a, zkmesh: b })
    }
  }
  if (zkmesh.length !== zookeeper.length) throw new Error("one script is longer than the other")
  return differences
}

const same = (a: Difference, b: Difference): boolean =>
  a.at === b.at && a.zookeeper === b.zookeeper && a.zkmesh === b.zkmesh

/** What nobody wants, and what is on the list without being there. */
export const unexpected = (found: ReadonlyArray<Difference>, intended: ReadonlyArray<Intended>) => ({
  differences: found.filter((one) => !intended.some((other) => same(one, other))),
  obsolete: intended.filter((one) => !found.some((other) => same(one, other)))
})
