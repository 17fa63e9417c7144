import { afterAll, describe, expect, it } from "vitest"
import { Violation } from "./sim/checker.ts"
import { type Scenario, World } from "./sim/world.ts"

const SEEDS = Number(process.env["ZAB_SEEDS"] ?? 200)
const FIRST = Number(process.env["ZAB_FIRST_SEED"] ?? 1)
const GROUP = 20

/** The seed also picks the shape of the ensemble and of its troubles. */
const scenario = (seed: number): Scenario => ({
  seed,
  voters: [3, 5, 3, 4, 1, 2][seed % 6]!,
  observers: seed % 4 === 0 ? 1 : 0,
  troubleMs: 4000,
  everyMs: seed % 9 === 0 ? 12 : [150, 60, 400][seed % 3]!,
  trouble: seed % 9 === 0 ? "links" : "all",
  election: seed % 3 === 0 ? "oracle" : "real",
  oracleMs: seed % 2 === 0 ? 60 : 10,
  loss: seed % 7 === 0 ? 0.02 : 0,
  counterLimit: seed % 8 === 0 ? 120 : 0xffff_fffe,
  logRetain: [5, 60, 0, 20][seed % 4]!,
  spares: 0
})

/** The same, while the ensemble is changed all the time: servers are added and removed, the leader among them. */
const changing = (seed: number): Scenario => ({
  ...scenario(seed),
  voters: [3, 3, 5, 1, 2][seed % 5]!,
  everyMs: [150, 400, 1200][seed % 3]!,
  trouble: "all",
  election: seed % 4 === 0 ? "oracle" : "real",
  spares: [2, 1, 3][seed % 3]!
})

/** Peers lose their logs, and not what they have promised. */
const corrupting = (seed: number): Scenario => ({
  ...scenario(seed),
  voters: seed % 3 === 0 ? 5 : 3,
  trouble: "all",
  everyMs: [60, 150, 30, 400][seed % 4]!,
  corruption: true
})

/** Every synchronisation that can be is by checkpoint, observers wait for their turn, and for this and that besides. */
const otherwise = (seed: number): Scenario => ({
  ...scenario(seed),
  voters: [3, 5, 3, 1][seed % 4]!,
  observers: [3, 2, 4][seed % 3]!,
  knobs: {
    forceSnapshotSync: seed % 3 !== 0,
    maxSnapSyncs: 1,
    maxDiffSyncs: 1,
    maxEpochWaitMs: seed % 2 === 0 ? 100 : undefined,
    redialMs: 20,
    observerDelays: { election: () => 30, reconnect: () => 10 }
  }
})

const run = (scenario: Scenario): World => {
  const { seed } = scenario
  const world = new World(scenario)
  try {
    world.run()
  } catch (cause) {
    const tail = world.transcript.slice(-40).join("\n")
    throw new Error(`seed ${seed} (${JSON.stringify(world.scenario)}): ${String(cause)}\n${tail}`, { cause })
  }
  return world
}

describe("a faulty ensemble keeps the invariants of Zab.tla", () => {
  const done = new Map<string, number>()

  for (let first = FIRST; first < FIRST + SEEDS; first += GROUP) {
    const last = Math.min(first + GROUP, FIRST + SEEDS) - 1
    it(`seeds ${first}…${last}`, { timeout: 60_000 }, () => {
      let delivered = 0
      for (let seed = first; seed <= last; seed++) {
        const world = run(scenario(seed))
        delivered += world.checker.history.length
        for (const [operation, count] of world.done) done.set(operation, (done.get(operation) ?? 0) + count)
      }
      expect(delivered).toBeGreaterThan(0)
    })
  }

  // Troubles that no longer lead everywhere prove less than they seem to.
  afterAll(() => {
    if (SEEDS < 100) return
    for (const operation of ["Truncate", "RestoreCommit", "RestoreAbort", "ReadSnapshot", "Find", "Read", "Purge"]) {
      expect(done.get(operation) ?? 0, operation).toBeGreaterThan(0)
    }
  })
})

describe("so does one that is reconfigured meanwhile", () => {
  let reconfigurations = 0
  for (let first = FIRST; first < FIRST + SEEDS; first += GROUP) {
    const last = Math.min(first + GROUP, FIRST + SEEDS) - 1
    it(`seeds ${first}…${last}`, { timeout: 60_000 }, () => {
      for (let seed = first; seed <= last; seed++) {
        const { history } = run(changing(seed)).checker
        reconfigurations += history.filter((txn) => txn.configuration !== undefined).length
      }
    })
  }

  afterAll(() => {
    if (SEEDS >= 100) expect(reconfigurations).toBeGreaterThan(SEEDS)
  })
})

describe("so does one that forces snapshots and lets observers wait", () => {
  let restored = 0
  for (let first = FIRST; first < FIRST + SEEDS; first += GROUP) {
    const last = Math.min(first + GROUP, FIRST + SEEDS) - 1
    it(`seeds ${first}…${last}`, { timeout: 60_000 }, () => {
      for (let seed = first; seed <= last; seed++) restored += run(otherwise(seed)).done.get("RestoreCommit") ?? 0
    })
  }

  afterAll(() => {
    if (SEEDS >= 100) expect(restored).toBeGreaterThan(SEEDS * 5)
  })
})

describe("so does one whose peers find their logs corrupt", () => {
  let losses = 0
  let rebuilt = 0
  for (let first = FIRST; first < FIRST + SEEDS; first += GROUP) {
    const last = Math.min(first + GROUP, FIRST + SEEDS) - 1
    it(`seeds ${first}…${last}`, { timeout: 60_000 }, () => {
      for (let seed = first; seed <= last; seed++) {
        const { done } = run(corrupting(seed))
        losses += done.get("SetAside") ?? 0
        rebuilt += done.get("SetRebuilt") ?? 0
      }
    })
  }

  afterAll(() => {
    if (SEEDS < 100) return
    expect(losses).toBeGreaterThan(SEEDS)
    expect(rebuilt).toBeGreaterThan(SEEDS / 2)
  })

  it("and would lose what was committed, did they vote at once", () => {
    const outcome = (seed: number): string => {
      try {
        run({ ...corrupting(seed), careless: true })
        return "kept"
      } catch (error) {
        const lost = error instanceof Error && error.cause instanceof Violation && /lacks committed/.test(error.message)
        return lost ? "lost" : String(error)
      }
    }
    const found = Array.from({ length: 60 }, (_, index) => outcome(index + 1))
    expect(found).toContain("lost")
  })
})
