/** A frontend whose ensemble changes under it. */
import { OpCode } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { type PlayedSession, withFrontend } from "./harness.ts"

/** `/zookeeper/config` of these members. */
const configuration = (version: number, ...sids: ReadonlyArray<number>): string =>
  [
    ...sids.map((sid) => `server.${sid}=host${sid}:2888:3888:participant;0.0.0.0:2181`),
    `version=${(2 ** 32 + version).toString(16)}`
  ].join("\n")

const tell = (session: PlayedSession, text: string) => session.link!.send({ _tag: "Configuration", text })
const following = { peers: [1], preference: (sids: ReadonlyArray<number>) => sids }

describe("a frontend that follows the ensemble", () => {
  it("carries its clients over to a peer that has joined, and lets go of one that has left", () =>
    withFrontend(following, async ({ sessions, client, join }) => {
      const [first] = sessions
      const one = client()
      await one.open()
      const second = await join(2)
      tell(first!, configuration(1, 1, 2))
      await second.until(() => second.link !== undefined)
      tell(second, configuration(2, 2))
      const moved = await second.first("Connect")
      assert.strictEqual(moved.sessionId, (await first!.first("Connect")).conn + 1000)
      assert.isDefined(moved.resume)
      await first!.until(() => first!.link === undefined)
      // It speaks to the new peer by the same socket.
      one.send(one.requestFrame(7, OpCode.ping))
      assert.strictEqual((await one.reply(2)).xid, 7)
      assert.isFalse(one.isClosed)
      const other = client()
      await other.open()
      assert.lengthOf(second.all("Connect"), 2)
    }))

  it("keeps to a peer that has left for as long as no member serves", () =>
    withFrontend(following, async ({ sessions, client, join }) => {
      const [first] = sessions
      tell(first!, configuration(2, 2))
      const one = client()
      await one.open()
      assert.lengthOf(first!.all("Connect"), 1)
      const second = await join(2)
      await second.first("Connect")
      one.send(one.requestFrame(7, OpCode.ping))
      assert.strictEqual((await one.reply(2)).xid, 7)
      assert.lengthOf(second.requests, 1)
    }))

  it("does not go back to an ensemble that is past", () =>
    withFrontend({ ...following, peers: [1, 2] }, async ({ sessions, client }) => {
      const [first, second] = sessions
      tell(first!, configuration(5, 2))
      await first!.until(() => first!.link === undefined)
      tell(second!, configuration(4, 1, 2))
      tell(second!, configuration(0, 1, 2))
      const one = client()
      await one.open()
      assert.lengthOf(second!.all("Connect"), 1)
      assert.isUndefined(first!.link)
    }))
})

it("a frontend that is to keep to its peers does so whatever becomes of the ensemble", () =>
  withFrontend({ peers: [1] }, async ({ sessions, client }) => {
    const [first] = sessions
    tell(first!, configuration(1, 2))
    const one = client()
    await one.open()
    assert.lengthOf(first!.all("Connect"), 1)
    assert.isDefined(first!.link)
  }))
