import { ByteWriter, type Codec } from "@zkmesh/bus"
import {
  ClientRequest,
  commitProtocol,
  electionProtocol,
  electionTopic,
  expiryProtocol,
  frontendProtocol,
  type Identity,
  learnerProtocol,
  prepareProtocol,
  proposalsTopic,
  streamProtocol,
  WriteRequest
} from "@zkmesh/messages"
import { describe, expect, it } from "vitest"
import { Draw, samples } from "./samples.ts"

/** A request's memory is another one after the journey: only its body counts. */
const comparable = (value: unknown): unknown => {
  if (value instanceof ClientRequest) {
    const { buffer, start, end, ...rest } = value
    return { ...rest, kind: "client", body: [...buffer.subarray(start, end)] }
  }
  if (value instanceof WriteRequest) {
    const { buffer, start, end, ...rest } = value
    return { ...rest, kind: "write", body: [...buffer.subarray(start, end)] }
  }
  if (value instanceof Uint8Array) return [...value]
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, comparable(inner)]))
}

/** As the bus hands it over: somewhere in the memory of a larger packet. */
const received = (bytes: Uint8Array): Uint8Array => {
  const packet = new Uint8Array(bytes.length + 30)
  packet.fill(0xaa)
  packet.set(bytes, 13)
  return packet.subarray(13, 13 + bytes.length)
}

/** One direction of a protocol, with what may be said there. */
const direction = <M>(name: string, codec: Codec<M>, make: (draw: Draw) => ReadonlyArray<M>) =>
  describe(name, () => {
    it("brings every message across as it was", () => {
      const writer = new ByteWriter(16)
      for (let seed = 0; seed < 60; seed++) {
        for (const message of make(new Draw(seed))) {
          const bytes = codec.encode(message)
          writer.reset()
          codec.encodeInto!(message, writer)
          expect(Buffer.compare(writer.written, bytes)).toBe(0)
          expect(comparable(codec.decode(received(bytes)))).toEqual(comparable(message))
        }
      }
    })

    it("refuses what has been cut", () => {
      for (let seed = 0; seed < 10; seed++) {
        for (const message of make(new Draw(seed))) {
          const bytes = codec.encode(message)
          for (let length = 0; length < bytes.length; length += 1 + Math.floor(bytes.length / 50)) {
            expect(() => codec.decode(received(bytes.subarray(0, length)))).toThrow()
          }
        }
      }
    })
  })

direction("frontend up", frontendProtocol.up, samples.frontendToSession)
direction("frontend down", frontendProtocol.down, samples.sessionToFrontend)
direction("stream up", streamProtocol.up, samples.sessionToZnode)
direction("stream down", streamProtocol.down, samples.znodeToSession)
direction("prepare up", prepareProtocol.up, samples.sessionToPrepare)
direction("prepare down", prepareProtocol.down, samples.prepareToSession)
direction("expiry up", expiryProtocol.up, samples.sessionToExpiry)
direction("commit up", commitProtocol.up, samples.znodeToBroadcast)
direction("commit down", commitProtocol.down, samples.broadcastToZnode)
direction("learner up", learnerProtocol.up, samples.learnerToLeader)
direction("learner down", learnerProtocol.down, samples.leaderToLearner)
direction("election up", electionProtocol.up, samples.broadcastToElection)
direction("election down", electionProtocol.down, samples.electionToBroadcast)
direction("proposals", proposalsTopic.codec, samples.fanOut)
direction("election topic", electionTopic.codec, samples.notification)

it("refuses codes that it does not know, and bytes that follow a message", () => {
  expect(() => proposalsTopic.codec.decode(Uint8Array.of(77))).toThrow(/no message has the code 77/)
  const ack = learnerProtocol.up.encode({ _tag: "Ack", zxid: 1 })
  expect(() => learnerProtocol.up.decode(new Uint8Array([...ack, 0]))).toThrow(/1 bytes follow/)
})

it("makes one object of equal identities, across messages and protocols", () => {
  const draw = () => [
    { scheme: "ip", id: "10.0.0.1" },
    { scheme: "digest", id: "ada:łódź" }
  ]
  const buffer = new Uint8Array(0)
  const write = (identity: Identity) => new WriteRequest(1, 2, 3, 4, 5, identity, buffer, 0, 0)
  const other: Identity = [{ scheme: "ip", id: "10.0.0.2" }]
  const writes = prepareProtocol.up.encode({ _tag: "Writes", requests: [draw(), other, draw()].map(write) })
  const connect = frontendProtocol.up.encode({ _tag: "Identify", conn: 1, identity: draw() })
  const first = prepareProtocol.up.decode(writes)
  const second = frontendProtocol.up.decode(connect)
  if (first._tag !== "Writes" || second._tag !== "Identify") throw new Error("another message came out")
  const [one, two, three] = first.requests
  expect(one!.identity).toBe(three!.identity)
  expect(one!.identity).not.toBe(two!.identity)
  expect(second.identity).toBe(one!.identity)
  expect(second.identity).toEqual(draw())
})

it("shares the memory that was received", () => {
  const batch = { first: 1, last: 2, count: 2, bytes: new Uint8Array(1000) }
  const bytes = commitProtocol.down.encode({ _tag: "Committed", batch })
  const message = commitProtocol.down.decode(bytes)
  expect(message._tag === "Committed" && message.batch.bytes.buffer).toBe(bytes.buffer)
})
