import { assert, describe, it } from "@effect/vitest"
import { Health, type Report } from "@zkmesh/health"

describe("health", () => {
  it("is what the worst part says, with its reason", () => {
    const health = new Health()
    assert.strictEqual(health.overall().condition, "starting")
    let session: Report = { condition: "serving" }
    health.probe("session", () => session)
    health.set("broadcast", { condition: "serving" })
    assert.isTrue(health.overall().ready)
    session = { condition: "looking", why: "the leader has gone" }
    health.set("broadcast", { condition: "syncing", why: "discovery" })
    const { condition, ready, why, parts } = health.overall()
    assert.deepStrictEqual(
      { condition, ready, why },
      {
        condition: "looking",
        ready: false,
        why: "session: the leader has gone"
      }
    )
    assert.deepStrictEqual(parts["broadcast"], { condition: "syncing", why: "discovery" })
  })

  it("is read-only while it looks for a leader and serves readers", () => {
    const health = new Health()
    health.set("broadcast", { condition: "looking" })
    health.set("session", { condition: "readOnly", why: "there is no leader" })
    const { condition, ready, why } = health.overall()
    assert.deepStrictEqual(
      { condition, ready, why },
      {
        condition: "readOnly",
        ready: false,
        why: "session: there is no leader"
      }
    )
    health.set("znode", { condition: "starting" })
    assert.strictEqual(health.overall().condition, "starting")
  })

  it("forgets a part that ends, but not the one that has taken its place", () => {
    const health = new Health()
    health.set("znode", { condition: "serving" })
    const forgetFirst = health.probe("session", () => ({ condition: "failed" }))
    const forgetSecond = health.probe("session", () => ({ condition: "looking" }))
    forgetFirst()
    assert.strictEqual(health.overall().condition, "looking")
    forgetSecond()
    assert.isTrue(health.overall().ready)
  })
})
