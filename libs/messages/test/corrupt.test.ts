import type { Codec } from "@zkmesh/bus"
import {
  CorruptMessage,
  commitProtocol,
  electionProtocol,
  electionTopic,
  frontendProtocol,
  learnerProtocol,
  prepareProtocol,
  proposalsTopic,
  streamProtocol
} from "@zkmesh/messages"
import { describe, expect, it } from "vitest"
import { Draw, samples } from "./samples.ts"

const EDGES = [0, 1, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff]

/** A message's bytes gone wrong in one to three places. */
const spoilt = (draw: Draw, original: Uint8Array): Uint8Array => {
  let bytes = Buffer.from(original)
  for (let left = 1 + draw.below(3); left > 0; left--) {
    const at = draw.below(bytes.length + 1)
    switch (draw.below(5)) {
      case 0:
        if (at < bytes.length) bytes[at] = bytes[at]! ^ (1 << draw.below(8))
        break
      case 1:
        if (at < bytes.length) bytes[at] = draw.below(256)
        break
      case 2:
        if (at + 4 <= bytes.length) bytes.writeUInt32BE(draw.one(...EDGES), at)
        break
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.of(draw.below(256), draw.below(256)), bytes.subarray(at)])
        break
      default:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + draw.below(9)))])
    }
  }
  return bytes
}

/** How many of the spoilt messages were refused; whatever is no CorruptMessage fails the test. */
const refusals = <M>(codec: Codec<M>, make: (draw: Draw) => ReadonlyArray<M>, seeds: number): number => {
  let refused = 0
  const attempt = (bytes: Uint8Array): void => {
    try {
      codec.decode(bytes)
    } catch (error) {
      expect(error).toBeInstanceOf(CorruptMessage)
      refused++
    }
  }
  for (let seed = 0; seed < seeds; seed++) {
    const draw = new Draw(seed)
    for (const message of make(draw)) {
      const bytes = codec.encode(message)
      for (let times = 0; times < 5; times++) attempt(spoilt(draw, bytes))
    }
    attempt(Uint8Array.from({ length: draw.below(200) }, () => draw.below(256)))
  }
  return refused
}

describe("bytes that are no message", () => {
  const directions: ReadonlyArray<readonly [string, () => number]> = [
    ["frontend up", () => refusals(frontendProtocol.up, samples.frontendToSession, 100)],
    ["frontend down", () => refusals(frontendProtocol.down, samples.sessionToFrontend, 100)],
    ["stream up", () => refusals(streamProtocol.up, samples.sessionToZnode, 100)],
    ["stream down", () => refusals(streamProtocol.down, samples.znodeToSession, 100)],
    ["prepare up", () => refusals(prepareProtocol.up, samples.sessionToPrepare, 100)],
    ["prepare down", () => refusals(prepareProtocol.down, samples.prepareToSession, 100)],
    ["commit up", () => refusals(commitProtocol.up, samples.znodeToBroadcast, 100)],
    ["commit down", () => refusals(commitProtocol.down, samples.broadcastToZnode, 100)],
    ["learner up", () => refusals(learnerProtocol.up, samples.learnerToLeader, 100)],
    ["learner down", () => refusals(learnerProtocol.down, samples.leaderToLearner, 100)],
    ["election up", () => refusals(electionProtocol.up, samples.broadcastToElection, 100)],
    ["proposals", () => refusals(proposalsTopic.codec, samples.fanOut, 100)],
    ["election topic", () => refusals(electionTopic.codec, samples.notification, 100)]
  ]
  it.each(directions)("are refused as such: %s", (_, count) => {
    expect(count()).toBeGreaterThan(50)
  })
})
