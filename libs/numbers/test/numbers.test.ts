import { assert, it } from "@effect/vitest"
import {
  COUNTER_LIMIT,
  counterOf,
  EPOCH_LIMIT,
  EpochExhausted,
  epochOf,
  follows,
  hex,
  high,
  isExact,
  isLocalId,
  join,
  localId,
  low,
  zxid
} from "@zkmesh/numbers"

it("keeps epoch and counter exactly, up to the last epoch", () => {
  for (const epoch of [0, 1, 77, EPOCH_LIMIT - 1]) {
    for (const counter of [0, 1, 0x7fff_ffff, 0x8000_0000, COUNTER_LIMIT]) {
      const value = zxid(epoch, counter)
      assert.deepStrictEqual([epochOf(value), counterOf(value)], [epoch, counter])
      assert.deepStrictEqual(join(high(value), low(value)), value)
      // The words as a signed 32-bit reader would return them join to the same number.
      assert.strictEqual(join(high(value) | 0, low(value) | 0), value)
      assert.isTrue(Number.isSafeInteger(value))
    }
  }
})

it("refuses an epoch that would lose bits", () => {
  assert.throws(() => zxid(EPOCH_LIMIT, 0), EpochExhausted)
  assert.isTrue(isExact(2 * EPOCH_LIMIT - 1))
  assert.isFalse(isExact(2 * EPOCH_LIMIT))
  // A session id of a stock ZooKeeper server with an id of 128 or more has the top bit set.
  assert.isFalse(isExact(0x8000_0000 | 0))
})

it("keeps the ids of local sessions apart from zxids, and exact", () => {
  const last = zxid(EPOCH_LIMIT - 1, COUNTER_LIMIT)
  assert.isFalse(isLocalId(last))
  for (const n of [0, 1, 2 ** 45, 2 ** 52, 2 ** 52 + 5, Number.MAX_SAFE_INTEGER]) {
    const id = localId(n)
    assert.isTrue(isLocalId(id) && Number.isSafeInteger(id), hex(id))
    assert.isAbove(id, last)
  }
  assert.notStrictEqual(localId(7), localId(8))
})

it("tells what may follow in a log", () => {
  assert.isTrue(follows(zxid(1, 4), zxid(1, 5)))
  assert.isTrue(follows(zxid(1, 4), zxid(3, 1)))
  assert.isTrue(follows(0, zxid(1, 1)))
  assert.isFalse(follows(zxid(1, 4), zxid(1, 6)))
  assert.isFalse(follows(zxid(1, 4), zxid(1, 4)))
  assert.isFalse(follows(zxid(1, 4), zxid(2, 2)))
  assert.isFalse(follows(zxid(2, 1), zxid(1, 2)))
})

it("prints as operators read it", () => {
  assert.strictEqual(hex(zxid(1, 4)), "0x100000004")
})
