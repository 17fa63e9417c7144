import { assert, describe, it } from "@effect/vitest"
import { Distribution, declarations, Registry } from "@zkmesh/metrics"
import { PrometheusExposition } from "@zkmesh/metrics/exposition"

describe("a distribution", () => {
  it("knows its quantiles to one part in 16, over microseconds and minutes alike", () => {
    const seen = new Distribution()
    for (let i = 1; i <= 1000; i++) seen.record(i / 10)
    const [p50, p99] = seen.quantiles([0.5, 0.99])
    assert.closeTo(p50!, 50, 50 / 16)
    assert.closeTo(p99!, 99, 99 / 16)
    assert.strictEqual(seen.count, 1000)
    const long = new Distribution()
    long.record(600_000)
    assert.closeTo(long.quantiles([0.5])[0]!, 600_000, 600_000 / 16)
    assert.deepStrictEqual(new Distribution().quantiles([0.5, 0.9]), [0, 0])
  })

  it("forgets the values, not the count, of what is two turns old", () => {
    const seen = new Distribution()
    seen.record(1000)
    seen.turn()
    seen.record(1)
    assert.isAbove(seen.quantiles([0.99])[0]!, 900)
    seen.turn()
    seen.turn()
    assert.deepStrictEqual(seen.quantiles([0.99]), [0])
    assert.strictEqual(seen.sum, 1001)
  })
})

describe("a registry", () => {
  it("gives each owner's figures under the names of mntr", () => {
    const registry = new Registry()
    registry.summary("fsynctime").record(1.5)
    registry.summaries("ack_latency").of("2").record(4)
    registry.counter("learner_commit_received_count").add(3)
    registry.observe("tree", () => ({ znode_count: 5 }))
    const figures = registry.figures("broadcast")
    assert.strictEqual(figures["avg_fsynctime"], 1.5)
    assert.strictEqual(figures["cnt_fsynctime"], 1)
    assert.strictEqual(figures["learner_commit_received_count"], 3)
    assert.strictEqual(figures["max_2_ack_latency"], 4)
    assert.isUndefined(figures["znode_count"])
    registry.reset()
    assert.strictEqual(registry.figures("broadcast")["cnt_fsynctime"], 0)
    assert.strictEqual(registry.figures("znode")["znode_count"], 5)
  })

  it("begins anew with counts that are kept elsewhere, too", () => {
    const registry = new Registry()
    let looked = 7
    registry.observe("broadcast", () => ({ looking_count: looked, learners: 2 }))
    const figures = () => registry.figures("broadcast")
    assert.strictEqual(figures()["looking_count"], 7)
    registry.reset()
    assert.deepInclude(figures(), { looking_count: 0, learners: 2 })
    looked += 3
    assert.strictEqual(figures()["looking_count"], 3)
    registry.reset()
    assert.strictEqual(figures()["looking_count"], 0)
    // A service that is built again counts from nothing.
    looked = 1
    assert.strictEqual(figures()["looking_count"], 1)
    looked = 12
    assert.strictEqual(figures()["looking_count"], 12)
  })

  it("speaks Prometheus's text at ZooKeeper's names", async () => {
    const registry = new Registry()
    registry.summary("readlatency").record(2, 4)
    registry.counter("looking_count").add()
    registry.summaries("ack_latency").of("1").record(8)
    const text = await new PrometheusExposition(registry, false).text()
    assert.match(text, /^# TYPE readlatency summary$/m)
    assert.match(text, /^readlatency\{quantile="0\.5"\} \d/m)
    assert.match(text, /^readlatency_sum 8$/m)
    assert.match(text, /^readlatency_count 4$/m)
    assert.match(text, /^looking_count 1$/m)
    assert.match(text, /^ack_latency_count\{key="1"\} 1$/m)
    assert.match(text, /^dead_watchers_cleared 0$/m)
  })

  it("declares no metric twice, and each with a unit and a meaning", () => {
    const names = declarations().map(([name]) => name)
    assert.strictEqual(new Set(names).size, names.length)
    for (const [name, { unit, help }] of declarations()) {
      assert.match(name, /^[a-z][a-z0-9_]*$/)
      assert.isAbove(unit.length * help.length, 0, name)
    }
  })
})
