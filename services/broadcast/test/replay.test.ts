import { assert, describe, it } from "@effect/vitest"
import { Registry } from "@zkmesh/metrics"
import type { TxnBatch } from "@zkmesh/txn"
import { Replay } from "../src/Replay.ts"

const batch = (first: number, last: number): TxnBatch => ({
  first,
  last,
  count: last - first + 1,
  bytes: Buffer.alloc(0)
})

const start = (last: number) => {
  const metrics = new Registry()
  const figures = () => {
    const { cnt_startup_txns_loaded, sum_startup_txns_loaded, sum_startup_txns_load_time } =
      metrics.figures("broadcast")
    return [cnt_startup_txns_loaded, sum_startup_txns_loaded, sum_startup_txns_load_time]
  }
  return { replay: new Replay(metrics, last), figures }
}

describe("the log beyond the checkpoint", () => {
  it("is counted once the tree has taken it, and what comes after it is not", () => {
    const { replay, figures } = start(30)
    replay.opened(10, 100)
    replay.delivers(batch(11, 25))
    replay.took(25, 150)
    assert.deepStrictEqual(figures(), [0, 0, 0])
    replay.delivers(batch(26, 30))
    replay.delivers(batch(31, 40))
    replay.took(28, 180)
    replay.took(40, 200)
    assert.deepStrictEqual(figures(), [1, 20, 100])
    replay.opened(40, 300)
    replay.delivers(batch(41, 50))
    replay.took(50, 400)
    assert.deepStrictEqual(figures(), [1, 20, 100])
  })

  it("is nothing where the checkpoint has it all", () => {
    const { replay, figures } = start(10)
    replay.opened(10, 100)
    assert.deepStrictEqual(figures(), [1, 0, 0])
  })

  it("ends where a leader has cut it off", () => {
    const { replay, figures } = start(30)
    replay.opened(10, 100)
    replay.delivers(batch(11, 20))
    replay.established(120)
    assert.deepStrictEqual(figures(), [0, 0, 0])
    replay.took(20, 130)
    assert.deepStrictEqual(figures(), [1, 10, 30])
  })
})
