import { describe, expect, it } from "vitest"
import { type Scenario, World } from "./sim/world.ts"

const SEEDS = Number(process.env["ZAB_SEEDS"] ?? 60)
const FIRST = Number(process.env["ZAB_FIRST_SEED"] ?? 1)

/** The seed also picks the shape of the ensemble and of its troubles. */
const scenario = (seed: number): Scenario => ({
  seed,
  voters: [3, 5, 3, 4, 1, 2][seed % 6]!,
  observers: seed % 4 === 0 ? 1 : 0,
  troubleMs: 4000,
  everyMs: [150, 60, 400][seed % 3]!,
  election: seed % 5 === 0 ? "oracle" : "real",
  loss: seed % 7 === 0 ? 0.02 : 0,
  counterLimit: seed % 8 === 0 ? 120 : 0xffff_fffe,
  logRetain: [5, 60, 0][seed % 3]!
})

const run = (seed: number): World => {
  const world = new World(scenario(seed))
  try {
    world.run()
  } catch (cause) {
    const tail = world.transcript.slice(-40).join("\n")
    throw new Error(`seed ${seed} (${JSON.stringify(world.scenario)}): ${String(cause)}\n${tail}`, { cause })
  }
  return world
}

describe("a faulty ensemble keeps the invariants of Zab.tla", () => {
  const GROUP = 10
  for (let first = FIRST; first < FIRST + SEEDS; first += GROUP) {
    it(`seeds ${first}…${first + GROUP - 1}`, { timeout: 60_000 }, () => {
      let delivered = 0
      for (let seed = first; seed < first + GROUP; seed++) delivered += run(seed).checker.history.length
      expect(delivered).toBeGreaterThan(0)
    })
  }
})
