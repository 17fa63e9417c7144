import { ByteWriter } from "@zkmesh/bus"
import {
  ClientRequest,
  commitProtocol,
  frontendProtocol,
  prepareProtocol,
  proposalsTopic,
  streamProtocol,
  WriteRequest
} from "@zkmesh/messages"
import { assert, describe, it } from "vitest"

const trace = (digit: string) => ({ traceId: digit.repeat(32), spanId: digit.repeat(16) })
const body = new Uint8Array([1, 2, 3])
const identity = [{ scheme: "ip", id: "127.0.0.1" }]
const batch = { first: 5, last: 7, count: 3, bytes: body }
const requests = () =>
  [1, 2, 3].map((xid) => new ClientRequest(9, xid, 4, body, 0, 3, xid === 2 ? trace("a") : undefined))
const writes = () =>
  [1, 2].map((seq) => new WriteRequest(5, 5, seq, seq, 1, identity, body, 0, 3, seq === 2 ? trace("b") : undefined))
const traces = [
  { zxid: 5, trace: trace("c") },
  { zxid: 7, trace: trace("d") }
]

describe("trace contexts on the bus", () => {
  it("come with the requests that they belong to", () => {
    const { up } = frontendProtocol
    const decoded = up.decode(up.encode({ _tag: "Requests", requests: requests(), isSampled: true }))
    assert(decoded._tag === "Requests")
    assert.isTrue(decoded.isSampled)
    assert.deepStrictEqual(
      decoded.requests.map((request) => request.trace),
      [undefined, trace("a"), undefined]
    )
  })

  it("come with writes and reads", () => {
    const written = prepareProtocol.up.decode(prepareProtocol.up.encode({ _tag: "Writes", requests: writes() }))
    assert(written._tag === "Writes")
    assert.deepStrictEqual(
      written.requests.map((request) => request.trace),
      [undefined, trace("b")]
    )
    const identities = requests().map(() => identity)
    const sessions = [1, 2, 3]
    const { up } = streamProtocol
    const read = up.decode(up.encode({ _tag: "Reads", requests: requests(), identities, sessions }))
    assert(read._tag === "Reads")
    assert.deepStrictEqual(read.requests[1]!.trace, trace("a"))
  })

  it("come with transactions and answers", () => {
    const proposed = { _tag: "Propose", leader: 1, epoch: 1, previous: 4, committed: 3, batch, traces } as const
    assert.deepStrictEqual(proposalsTopic.codec.decode(proposalsTopic.codec.encode(proposed)), proposed)
    const committed = { _tag: "Committed", batch, traces } as const
    assert.deepStrictEqual(commitProtocol.down.decode(commitProtocol.down.encode(committed)), committed)
    const answers = [{ index: 1, trace: trace("e") }]
    const { down } = streamProtocol
    const replies = {
      _tag: "ReadReplies",
      zxid: 7,
      buffer: body,
      ends: [1, 3],
      watches: undefined,
      traces: answers
    } as const
    assert.deepStrictEqual(down.decode(down.encode(replies)), replies)
    const applied = { _tag: "Applied", zxid: 7, txns: [], traces } as const
    assert.deepStrictEqual(down.decode(down.encode(applied)), applied)
  })

  it("take no byte where nothing is sampled, and 29 for each request that is", () => {
    const size = (sampled: boolean) => {
      const writer = new ByteWriter()
      const list = sampled
        ? requests()
        : requests().map(({ conn, xid, op }) => new ClientRequest(conn, xid, op, body, 0, 3))
      const message = { _tag: "Requests", requests: list, ...(sampled ? { isSampled: true as const } : {}) } as const
      frontendProtocol.up.encodeInto!(message, writer)
      return writer.length
    }
    assert.strictEqual(size(true) - size(false), 29)
    const one = { _tag: "Committed", batch } as const
    const plain = commitProtocol.down.encode(one).length
    assert.strictEqual(plain, 1 + 8 + 8 + 4 + 4 + body.length)
  })
})
