/** Ids of traces and spans. */
import { randomFillSync } from "node:crypto"
import type { Zxid } from "@zkmesh/numbers"

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

const mix = (text: string, seed: number): number => {
  let hash = seed
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

const digits = (word: number): string => word.toString(16).padStart(8, "0")

/**
 * The id of a request's span. It follows from the trace, the step and where that was taken, so every service can name a
 * span that another one records, and a span that is recorded twice is still one.
 * @param place the peer, for steps that several take
 * @param zxid the transaction, from prepare on: a request that is asked again of a new leader takes those steps again
 */
export const spanIdOf = (traceId: string, step: Step, place: number, zxid: Zxid = 0): string => {
  const text = `${traceId}/${step}/${place}/${zxid}`
  return digits((mix(text, 0x811c9dc5) | 1) >>> 0) + digits(mix(text, 0x9e3779b9))
}

/** A span of its own, by chance. */
export const newSpanId = (): string => newTraceId().slice(16)
