import type { Member } from "@zkmesh/membership"
import { assert, describe, it } from "vitest"
import { clientAddress, memberOf, membersOf, serverAddress } from "../src/commands/members.ts"
import type { AdminSettings } from "../src/index.ts"

const member = (sid: number, host: string): Member => ({
  sid,
  host,
  quorumPort: 2888,
  electionPort: 3888,
  role: "participant",
  clientHost: undefined,
  clientPort: undefined
})
const settings: AdminSettings = {
  sid: 1,
  configuration: [],
  properties: {},
  initialConfiguration: "",
  members: [member(1, "first"), member(2, "second")]
}

describe("the members that commands tell of", () => {
  it("are those that the ensemble has agreed on", () => {
    const configuration =
      "server.2=second:2888:3888:participant;2181\nserver.3=[::1]:1:2:observer;host:5\nversion=100000004"
    const members = membersOf(settings, { configuration })
    assert.deepStrictEqual(
      members.map(({ sid, role }) => [sid, role]),
      [
        [2, "participant"],
        [3, "observer"]
      ]
    )
    assert.deepStrictEqual(members.map(serverAddress), ["second:2888", "[::1]:1"])
    assert.deepStrictEqual(members.map(clientAddress), ["0.0.0.0:2181", "host:5"])
    assert.isUndefined(memberOf(settings, { configuration }, 1))
  })

  it("are those of the configuration where nothing has been agreed on", () => {
    assert.strictEqual(membersOf(settings, { configuration: "" }), settings.members)
    assert.strictEqual(memberOf(settings, {}, 2)?.host, "second")
    assert.strictEqual(clientAddress(settings.members[0]!), "")
  })
})
