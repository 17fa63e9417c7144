import { ClientRequest } from "@zkmesh/messages"
import { assert, describe, it } from "vitest"
import { Underway } from "../src/tracing/Underway.ts"

const NOTHING = new Uint8Array(0)
const requests = (first: number, count: number) =>
  Array.from({ length: count }, (_, i) => new ClientRequest(1, first + i, 4, NOTHING, 0, 0))

describe("requests under way", () => {
  it("are found by how many are answered before them, whatever runs they came in", () => {
    const underway = new Underway()
    assert.strictEqual(underway.oldest, Number.POSITIVE_INFINITY)
    underway.push(requests(0, 3), 100, 1)
    underway.push(requests(3, 1), 200, 2)
    underway.push(requests(4, 5), 300, 3)
    const seen = () => {
      const all: Array<readonly [number, number, number]> = []
      for (let nth = 0; ; nth++) {
        const one = underway.at(nth)
        if (one === undefined) return all
        all.push([one.request.xid, one.ordinal, one.since])
      }
    }
    assert.deepStrictEqual(seen(), [
      ...[0, 1, 2].map((i) => [i, 100 + i, 1] as const),
      [3, 200, 2],
      ...[0, 1, 2, 3, 4].map((i) => [4 + i, 300 + i, 3] as const)
    ])
    underway.drop(2)
    assert.deepStrictEqual(seen()[0], [2, 102, 1])
    underway.drop(2)
    assert.deepStrictEqual([underway.length, underway.oldest, seen()[0]], [5, 3, [4, 300, 3]])
    underway.drop(9)
    assert.deepStrictEqual([underway.length, seen()], [0, []])
  })

  it("go on in order through thousands of runs that are never all answered", () => {
    const underway = new Underway()
    underway.push(requests(0, 2), 0, 0)
    let oldest = 0
    for (let i = 1; i < 2000; i++) {
      underway.push(requests(2 * i, 2), 2 * i, i)
      underway.drop(2)
      oldest += 2
      const first = underway.at(0)
      assert.deepStrictEqual([first?.request.xid, first?.ordinal, underway.length], [oldest, oldest, 2])
    }
  })
})
