import { assert, describe, it } from "@effect/vitest"
import { type Distribution, Registry } from "@zkmesh/metrics"
import { Backlogs } from "../src/Backlogs.ts"

const start = () => {
  const metrics = new Registry()
  const backlogs = new Backlogs(metrics, 1000)
  const size = (sid: number) => metrics.summaries("learner_handler_qp_size").of(`${sid}`)
  const time = (sid: number) => metrics.summaries("learner_handler_qp_time_ms").of(`${sid}`) as Distribution
  return { backlogs, size, time }
}

describe("what stands in line for a learner", () => {
  it("is counted with each of its acknowledgements", () => {
    const { backlogs, size } = start()
    backlogs.acknowledged(1, 10, 5, 15, 0)
    backlogs.acknowledged(1, 12, 3, 15, 1)
    backlogs.acknowledged(2, 15, 0, 15, 1)
    assert.deepInclude(size(1), { count: 2, sum: 8, min: 3, max: 5 })
    assert.deepInclude(size(2), { count: 1, sum: 0 })
  })

  it("is timed each half tick, until the last of it is acknowledged", () => {
    const { backlogs, time } = start()
    backlogs.acknowledged(1, 10, 5, 15, 0)
    backlogs.acknowledged(1, 14, 6, 20, 30)
    assert.strictEqual(time(1).count, 0)
    backlogs.acknowledged(1, 16, 4, 20, 40)
    assert.deepInclude(time(1), { count: 1, sum: 40 })
    // The next mark is not due before a half tick has passed since the last one.
    backlogs.acknowledged(1, 18, 2, 20, 900)
    backlogs.acknowledged(1, 20, 2, 22, 1000)
    assert.strictEqual(time(1).count, 1)
    backlogs.acknowledged(1, 22, 0, 22, 3000)
    assert.deepInclude(time(1), { count: 3, sum: 2040 }, "what was marked, and an empty line")
    backlogs.acknowledged(1, 22, 0, 22, 4000)
    assert.deepInclude(time(1), { count: 4, sum: 2040 })
  })

  it("is forgotten with the learner, and with the reign", () => {
    const { backlogs, time } = start()
    backlogs.acknowledged(1, 10, 5, 15, 0)
    backlogs.gone(1)
    backlogs.acknowledged(1, 15, 0, 15, 500)
    backlogs.acknowledged(2, 10, 5, 15, 500)
    backlogs.clear()
    backlogs.acknowledged(2, 3, 0, 3, 600)
    assert.deepInclude(time(1), { count: 1, sum: 0 })
    assert.deepInclude(time(2), { count: 1, sum: 0 })
  })
})
