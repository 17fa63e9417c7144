import { assert, describe, it } from "vitest"
import { ExpiryTracker } from "../src/index.ts"

describe("the session tracker", () => {
  it("lets a session live between its timeout and one tick more", () => {
    const tracker = new ExpiryTracker(1000, 0)
    tracker.add(1, 4000, 999)
    assert.deepStrictEqual(tracker.expire(4999), [])
    assert.deepStrictEqual(tracker.expire(5000), [1])
    tracker.add(2, 4000, 5000)
    assert.deepStrictEqual(tracker.expire(9999), [])
    assert.deepStrictEqual(tracker.expire(10_000), [2])
    assert.strictEqual(tracker.size, 0)
  })

  it("is put off by each touch, and never brought forward by one", () => {
    const tracker = new ExpiryTracker(1000, 0)
    tracker.add(1, 4000, 0)
    tracker.touch(1, 3500)
    tracker.touch(1, 100)
    assert.deepStrictEqual(tracker.expire(7999), [])
    assert.deepStrictEqual(tracker.expire(8000), [1])
  })

  it("does not know what was never added, has been removed, or has expired", () => {
    const tracker = new ExpiryTracker(1000, 0)
    tracker.touch(9, 0)
    tracker.add(1, 2000, 0)
    tracker.add(2, 2000, 0)
    tracker.remove(1)
    assert.deepStrictEqual(tracker.expire(60_000), [2])
    tracker.touch(2, 60_000)
    assert.deepStrictEqual(tracker.expire(120_000), [])
  })

  it("shows its buckets in order of time", () => {
    const tracker = new ExpiryTracker(1000, 0)
    tracker.add(1, 8000, 0)
    tracker.add(2, 2000, 0)
    tracker.add(3, 2500, 0)
    assert.deepStrictEqual(tracker.sets(), [
      { expiresAt: 3000, sessions: [2, 3] },
      { expiresAt: 9000, sessions: [1] }
    ])
  })
})
