import { describe, expect, it } from "vitest"
import { RecentReplies } from "../src/replies.ts"

const frame = (connection: number, seq: number, length = 10): Uint8Array =>
  new Uint8Array(length).fill(connection * 16 + seq)

describe("recent replies", () => {
  it("finds the replies of one connection in their order, among those of others", () => {
    const replies = new RecentReplies(1000)
    for (let seq = 1; seq <= 5; seq++)
      for (const connection of [1, 2, 3]) replies.add(connection, seq, frame(connection, seq))
    expect(replies.range(2, 2, 5)).toEqual([frame(2, 3), frame(2, 4), frame(2, 5)])
    expect(replies.range(2, 5, 5)).toEqual([])
    expect(replies.range(2, 4, 6)).toBeUndefined()
    expect(replies.range(4, 0, 1)).toBeUndefined()
  })

  it("never returns what has been overwritten", () => {
    const replies = new RecentReplies(105)
    for (let seq = 1; seq <= 200; seq++) {
      replies.add(1, seq, frame(0, seq, 10))
      const kept = Math.min(seq, 10)
      expect(replies.range(1, seq - 1, seq)).toEqual([frame(0, seq, 10)])
      // Where the ring's end cuts it short by one, the oldest of these is gone, and with it the whole answer.
      const all = replies.range(1, seq - kept, seq)
      expect(all ?? []).toEqual(all === undefined ? [] : all.map((_, i) => frame(0, seq - kept + 1 + i, 10)))
      expect(replies.range(1, seq - kept - 1, seq)).toBeUndefined()
    }
  })

  it("keeps copies, and does not keep what is larger than all of it", () => {
    const replies = new RecentReplies(100)
    const bytes = frame(1, 1)
    replies.add(1, 1, bytes)
    bytes.fill(0)
    expect(replies.range(1, 0, 1)).toEqual([frame(1, 1)])
    replies.add(1, 2, frame(1, 2, 101))
    expect(replies.range(1, 0, 2)).toBeUndefined()
  })

  it("forgets the oldest when there are more than it can name", () => {
    const replies = new RecentReplies(1 << 20)
    for (let seq = 1; seq <= 70_000; seq++) replies.add(1, seq, new Uint8Array([seq & 255]))
    expect(replies.range(1, 70_000 - 65_536, 70_000)).toHaveLength(65_536)
    expect(replies.range(1, 70_000 - 65_537, 70_000)).toBeUndefined()
  })
})
