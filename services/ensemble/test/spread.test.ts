import { assert, describe, it } from "vitest"
import { spread } from "../src/settings.ts"

describe("frontends of many names", () => {
  it("prefer every peer about equally, and fall back on the others in their order", () => {
    const first = new Map<number, number>()
    for (let i = 0; i < 300; i++) {
      const order = spread([1, 2, 3], `${(i * 2654435761).toString(16)}-1`)
      assert.include(["1,2,3", "2,3,1", "3,1,2"], order.join())
      first.set(order[0]!, (first.get(order[0]!) ?? 0) + 1)
    }
    for (const count of first.values()) assert.isAbove(count, 60)
    assert.strictEqual(first.size, 3)
  })

  it("always prefer the same one under the same name", () => {
    assert.deepStrictEqual(spread([1, 2, 3], "a"), spread([1, 2, 3], "a"))
    assert.deepStrictEqual(spread([7], "a"), [7])
  })
})
