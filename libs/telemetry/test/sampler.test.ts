import { Sampler } from "@zkmesh/telemetry"
import { assert, describe, it } from "vitest"

const candidate = (session: number, ...paths: ReadonlyArray<string>) => ({ session, paths: () => paths })

/** Linear congruence: the same draws each time. */
const drawn = (seed: number) => () => {
  seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
  return seed / 2 ** 31
}

const count = (sampler: Sampler, requests: number): number => {
  let sampled = 0
  for (let i = 0; i < requests; ) {
    // As many at a time as come in a piece of a socket's bytes.
    const some = Math.min(requests - i, 1 + (i % 50))
    const passed = sampler.pass(some)
    if (passed < some && sampler.decide(candidate(1), 0)) sampled++
    i += Math.min(some, passed + 1)
  }
  return sampled
}

const isDue = (sampler: Sampler): boolean => sampler.pass(1) === 0

describe("which requests are sampled", () => {
  it("is none at a ratio of 0, all at 1", () => {
    assert.strictEqual(count(new Sampler(0), 10_000), 0)
    assert.strictEqual(count(new Sampler(1), 10_000), 10_000)
  })

  it.each([0.01, 0.1, 0.5])("is about the share %d, by chance", (ratio) => {
    const sampled = count(new Sampler(ratio, 0, drawn(7)), 100_000)
    assert.closeTo(sampled / 100_000, ratio, ratio * 0.1)
  })

  it("is no more in a second than the limit says, except on demand", () => {
    const sampler = new Sampler(1, 10)
    const inSecond = (now: number) => {
      let sampled = 0
      for (let i = 0; i < 100; i++) if (isDue(sampler) && sampler.decide(candidate(1), now)) sampled++
      return sampled
    }
    assert.deepStrictEqual([0, 999, 1000, 5000].map(inSecond), [10, 0, 10, 10])
    sampler.want({ kind: "session", session: 1 }, 6000, 5000)
    assert.strictEqual(inSecond(5500), 100)
  })

  it("is everything of a session that somebody has asked for, for a while", () => {
    const sampler = new Sampler(0)
    assert.isFalse(isDue(sampler))
    sampler.want({ kind: "session", session: 5 }, 1000, 0)
    assert.isTrue(isDue(sampler))
    assert.isTrue(sampler.decide(candidate(5), 999))
    assert.isFalse(sampler.decide(candidate(6), 999))
    assert.isFalse(sampler.decide(candidate(5), 1000))
    assert.isFalse(isDue(sampler), "the wish has ended")
  })

  it("is everything at or below a path", () => {
    const sampler = new Sampler(0)
    sampler.want({ kind: "path", path: "/app" }, 1000, 0)
    assert.isTrue(sampler.decide(candidate(1, "/app"), 1))
    assert.isTrue(sampler.decide(candidate(1, "/other", "/app/a"), 1))
    assert.isFalse(sampler.decide(candidate(1, "/apple"), 1))
    assert.isFalse(sampler.decide(candidate(1), 1))
  })

  it("ends a wish that is taken back, and bounds how many there are", () => {
    const sampler = new Sampler(0)
    assert.isTrue(sampler.want({ kind: "session", session: 5 }, 1000, 0))
    assert.isTrue(sampler.want({ kind: "session", session: 5 }, 0, 0))
    assert.isFalse(isDue(sampler))
    for (let session = 0; session < 64; session++) assert.isTrue(sampler.want({ kind: "session", session }, 1000, 0))
    assert.isFalse(sampler.want({ kind: "session", session: 64 }, 1000, 0))
    assert.isTrue(sampler.want({ kind: "session", session: 3 }, 2000, 0), "what is there can be prolonged")
  })
})
