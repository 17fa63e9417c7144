import { assert, it } from "@effect/vitest"
import { zxid } from "@zkmesh/numbers"
import {
  CorruptBatch,
  ENTRY_HEADER,
  EntryReader,
  joinBatches,
  sliceBatch,
  type TxnBatch,
  writeEntryHeader
} from "@zkmesh/txn"

/** A batch of `count` transactions from `first` on; the body of each is its counter's low byte, repeated. */
const batch = (first: number, count: number): TxnBatch => {
  const chunks: Array<Uint8Array> = []
  for (let i = 0; i < count; i++) {
    const body = new Uint8Array(i % 5).fill((first + i) & 0xff)
    const bytes = new Uint8Array(ENTRY_HEADER + body.length)
    bytes.set(body, ENTRY_HEADER)
    const header = { zxid: first + i, session: zxid(1, 9), seq: i, cxid: -i, time: 1_700_000_000_123 + i, type: 5 }
    writeEntryHeader(new DataView(bytes.buffer), 0, bytes.length, header)
    chunks.push(bytes)
  }
  return { first, last: first + count - 1, count, bytes: new Uint8Array(Buffer.concat(chunks)) }
}

const zxids = (from: TxnBatch): Array<number> => {
  const reader = new EntryReader(from.bytes)
  const out: Array<number> = []
  while (reader.next()) out.push(reader.zxid)
  return out
}

it("reads back every field of every entry", () => {
  const reader = new EntryReader(batch(zxid(3, 0xffff_fff0), 4).bytes)
  for (let i = 0; i < 4; i++) {
    assert.isTrue(reader.next())
    assert.strictEqual(reader.zxid, zxid(3, 0xffff_fff0) + i)
    assert.strictEqual(reader.session, zxid(1, 9))
    assert.strictEqual(reader.seq, i)
    assert.strictEqual(reader.cxid, -i)
    assert.strictEqual(reader.time, 1_700_000_000_123 + i)
    assert.strictEqual(reader.type, 5)
    assert.strictEqual(reader.end - reader.bodyStart, i % 5)
  }
  assert.isFalse(reader.next())
})

it("slices at every cut and joins again without loss", () => {
  const first = zxid(2, 1)
  const whole = batch(first, 9)
  for (let after = first - 1; after <= first + 9; after++) {
    for (let upTo = after; upTo <= first + 9; upTo++) {
      const expected = zxids(whole).filter((z) => z > after && z <= upTo)
      const slice = sliceBatch(whole, after, upTo)
      if (expected.length === 0) {
        assert.isUndefined(slice)
        continue
      }
      assert.deepStrictEqual(zxids(slice!), expected)
      assert.deepStrictEqual([slice!.first, slice!.last, slice!.count], [expected[0], expected.at(-1), expected.length])
    }
  }
  const parts = [
    sliceBatch(whole, 0, first + 2)!,
    sliceBatch(whole, first + 2, first + 3)!,
    sliceBatch(whole, first + 3, Infinity)!
  ]
  assert.deepStrictEqual(joinBatches(parts), whole)
})

it("names a corrupt batch instead of reading past it", () => {
  const bytes = batch(zxid(1, 1), 2).bytes
  const cut = new EntryReader(bytes.subarray(0, bytes.length - 1))
  cut.next()
  assert.throws(() => cut.next(), CorruptBatch)
  const lying = bytes.slice()
  new DataView(lying.buffer).setUint32(0, 1)
  assert.throws(() => new EntryReader(lying).next(), CorruptBatch)
  assert.throws(() => new EntryReader(bytes.subarray(0, 10)).next(), CorruptBatch)
})
