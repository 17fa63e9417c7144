/** Field by field, what two servers said to the same script. */
import type { Shown, Step } from "./stage.ts"

export interface Difference {
  /** `scenario › step › connection.number.field` */
  readonly at: string
  readonly zookeeper: string
  readonly zkmesh: string
}

/** Differences that are meant to be: those at such places, between such values if they are said. */
export interface Intended {
  readonly at: string | RegExp
  readonly zookeeper?: string
  readonly zkmesh?: string
  readonly reason: string
  /** Debian's ZooKeeper does as we do. */
  readonly since?: "3.9"
}

const flatten = (value: Shown, at: string, into: Map<string, string>): Map<string, string> => {
  if (value === null || typeof value !== "object") return into.set(at, `${value}`)
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
/** What a reply says besides is implied by how it went, and what was heard by whether anything was. */
const REPLY = /^\S+?\.\d+(?=\.)/

const differ = (name: string, theirs: Map<string, string>, ours: Map<string, string>): ReadonlyArray<Difference> => {
  const differences: Array<Difference> = []
  for (const field of new Set([...theirs.keys(), ...ours.keys()])) {
    const [a, b] = [theirs.get(field) ?? NOTHING, ours.get(field) ?? NOTHING]
    if (a === b) continue
    const error = `${REPLY.exec(field)?.[0]}.error`
    const isImplied = field !== error && theirs.get(error) !== ours.get(error) && !field.endsWith(".zxid")
    if (!isImplied) differences.push({ at: `${name} › ${field}`, zookeeper: a, zkmesh: b })
  }
  return differences
}

/** Every field in which they differ. The scripts are the same, or there is nothing to compare. */
export const compare = (zookeeper: ReadonlyArray<Step>, zkmesh: ReadonlyArray<Step>): ReadonlyArray<Difference> => {
  const nameOf = (step: Step | undefined) => `${step?.scenario} › ${step?.step}`
  const parts = zookeeper.findIndex((step, i) => nameOf(step) !== nameOf(zkmesh[i]))
  if (parts >= 0 || zookeeper.length !== zkmesh.length) {
    throw new Error(`the scripts part at ${nameOf(zookeeper[parts])} and ${nameOf(zkmesh[parts])}`)
  }
  return zookeeper.flatMap((step, i) => differ(nameOf(step), fieldsOf(step), fieldsOf(zkmesh[i]!)))
}

const isMeant = (intended: Intended, { at, zookeeper, zkmesh }: Difference): boolean =>
  (typeof intended.at === "string" ? intended.at === at : intended.at.test(at)) &&
  (intended.zookeeper ?? zookeeper) === zookeeper &&
  (intended.zkmesh ?? zkmesh) === zkmesh

/** What nobody wants, and what is on the list without being there any more. */
export const unexpected = (found: ReadonlyArray<Difference>, intended: ReadonlyArray<Intended>) => ({
  differences: found.filter((one) => !intended.some((other) => isMeant(other, one))),
  obsolete: intended.filter((one) => !found.some((other) => isMeant(one, other)))
})
