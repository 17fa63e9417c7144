import { attack } from "./attacker.ts"
import { Random } from "./random.ts"

export interface Fuzz {
  readonly ports: ReadonlyArray<number>
  readonly seed: number
  readonly seconds: number
  /** Connections at a time. */
  readonly attackers: number
  /** The ports take TLS as well. */
  readonly takesTls: boolean
}

export interface Totals {
  connections: number
  sessions: number
  secure: number
  frames: number
  bytes: number
  /** Of the connection under way when the first thing went wrong. */
  lastSeed: number
}

/** Connection after connection, several at a time, until the time is up. The first error ends it. */
export async function fuzz({ ports, seed, seconds, attackers, takesTls }: Fuzz): Promise<Totals> {
  const seeds = new Random(seed)
  const until = performance.now() + seconds * 1000
  const totals: Totals = { connections: 0, sessions: 0, secure: 0, frames: 0, bytes: 0, lastSeed: seed }
  const one = async (): Promise<void> => {
    while (performance.now() < until) {
      totals.lastSeed = seeds.below(2 ** 32)
      const outcome = await attack({ ports, root: "/fuzz", seed: totals.lastSeed, takesTls })
      totals.connections++
      if (outcome.hadSession) totals.sessions++
      if (outcome.isSecure) totals.secure++
      totals.frames += outcome.frames
      totals.bytes += outcome.bytes
    }
  }
  await Promise.all(Array.from({ length: attackers }, one))
  return totals
}
