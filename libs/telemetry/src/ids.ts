/** Ids of traces and spans. */
import { randomFillSync } from "node:crypto"
import { high, low, type Zxid } from "@zkmesh/numbers"

const TRACE_ID_BYTES = 16
const pool = Buffer.alloc(TRACE_ID_BYTES * 256)
let used = pool.length

/** 32 random hexadecimal digits. */
export const newTraceId = (): string => {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const at = used
  used += TRACE_ID_BYTES
  return pool.toString("hex", at, used)
}

/** The steps that a request takes, each a span. A write takes all but `read`, and `append`, `flush` and `apply` once per peer. */
export type Step =
  | "request"
  | "session"
  | "prepare"
  | "propose"
  | "append"
  | "flush"
  | "acknowledge"
  | "commit"
  | "apply"
  | "read"
  | "reply"

const STEPS: Readonly<Record<Step, number>> = {
  request: 1,
  session: 2,
  prepare: 3,
  propose: 4,
  append: 5,
  flush: 6,
  acknowledge: 7,
  commit: 8,
  apply: 9,
  read: 10,
  reply: 11
}

const SEED = 0x9e3779b9

/** A word that depends on all bits of both. */
const mix = (hash: number, word: number): number => {
  let mixed = Math.imul(hash ^ word, 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 13)) >>> 0
}

const PAIRS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

/** The eight digits of a word. */
const digits = (word: number): string =>
  PAIRS[word >>> 24]! + PAIRS[(word >>> 16) & 0xff]! + PAIRS[(word >>> 8) & 0xff]! + PAIRS[word & 0xff]!

let lastHigh = 0
let highDigits = "0x"

/** `0x100000004`, as `hex` of a zxid has it: they come by the thousand, and share their epoch. */
export const zxidText = (zxid: Zxid): string => {
  const word = high(zxid)
  if (word !== lastHigh) {
    lastHigh = word
    highDigits = `0x${word.toString(16)}`
  }
  return word === 0 ? `0x${zxid.toString(16)}` : highDigits + digits(low(zxid))
}

/**
 * The id of a request's span. It follows from the trace, the step and where that was taken, so every service can name a
 * span that another one records, and a span that is recorded twice is still one.
 * @param place the peer, for steps that several take
 * @param zxid the transaction, from prepare on: a request that is asked again of a new leader takes those steps again
 */
export const spanIdOf = (traceId: string, step: Step, place: number, zxid: Zxid = 0): string => {
  // Ids of spans have to differ within their trace; the trace's own digits tell it from those of others.
  return traceId.slice(0, 8) + digits((mix(mix(mix(mix(SEED, STEPS[step]), place), high(zxid)), low(zxid)) | 1) >>> 0)
}

/** A span of its own, by chance. */
export const newSpanId = (): string => newTraceId().slice(16)
