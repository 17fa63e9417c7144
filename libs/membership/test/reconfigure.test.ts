import { parseConfiguration, reconfigure } from "@zkmesh/membership"
import { ErrorCode } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"

const line = (sid: number, role = "participant") => `server.${sid}=host${sid}:2888:3888:${role};0.0.0.0:2181`
const three = parseConfiguration(`${[1, 2, 3].map((sid) => line(sid)).join("\n")}\nversion=100000000`)
const nothing = { joiningServers: null, leavingServers: null, newMembers: null, curConfigId: -1 }
const everybody = new Set([1, 2, 3, 4, 5])
const ask = (
  request: Partial<typeof nothing> | Record<string, string | number>,
  context: { synced?: ReadonlySet<number>; standaloneEnabled?: boolean; current?: typeof three } = {}
) => {
  const result = reconfigure(
    { ...nothing, ...request },
    {
      current: context.current ?? three,
      standaloneEnabled: context.standaloneEnabled ?? true,
      synced: context.synced ?? everybody,
      zxid: 0x1_0000_000a
    }
  )
  return "error" in result ? result.error : result.configuration.text
}
const text = (...lines: ReadonlyArray<string>) => [...lines, "version=10000000a"].join("\n")

describe("an incremental reconfiguration", () => {
  it("adds and removes, in ZooKeeper's text", () => {
    assert.equal(ask({ joiningServers: `${line(4)},${line(5)}` }), text(line(1), line(2), line(3), line(4), line(5)))
    assert.equal(ask({ leavingServers: "3" }), text(line(1), line(2)))
    assert.equal(
      ask({ leavingServers: "1, 2", joiningServers: `${line(4)}, ${line(5)}` }),
      text(line(3), line(4), line(5))
    )
  })
  it("fills in what a server's line leaves open", () => {
    assert.equal(
      ask({ joiningServers: "server.4=host4:2888:3888;2181" }),
      text(line(1), line(2), line(3), "server.4=host4:2888:3888:participant;0.0.0.0:2181")
    )
  })
  it("changes a role by adding the server again", () => {
    assert.equal(ask({ joiningServers: line(3, "observer") }), text(line(1), line(2), line(3, "observer")))
  })
  it("takes no notice of who is not there to leave", () => {
    assert.equal(ask({ leavingServers: "9" }), text(line(1), line(2), line(3)))
  })
  it("is only for majorities", () => {
    const current = parseConfiguration(`${[1, 2, 3].map((sid) => line(sid)).join("\n")}\ngroup.1=1:2:3\nversion=1`)
    assert.equal(ask({ leavingServers: "3" }, { current }), ErrorCode.BADARGUMENTS)
  })
})

describe("a whole new membership", () => {
  it("replaces what was", () => {
    assert.equal(ask({ newMembers: `${line(5)},${line(3)}` }), text(line(3), line(5)))
  })
  it("may bring groups", () => {
    const members = [1, 2, 3, 4, 5].map((sid) => line(sid))
    const result = ask({ newMembers: [...members, "group.1=1:2:3", "group.2=4:5", "weight.5=0"].join("\n") })
    assert.equal(result, text(...members, "group.1=1:2:3", "group.2=4:5", "weight.5=0"))
  })
  it.each(["group.1=1:2", "what=ever", "server.1=nothing", "nonsense"])("refuses %s", (part) => {
    assert.equal(ask({ newMembers: [line(1), line(2), line(3), part].join("\n") }), ErrorCode.BADARGUMENTS)
  })
})

describe("refused", () => {
  it.each([
    [{ curConfigId: 7, leavingServers: "3" }, ErrorCode.BADVERSION],
    [{ joiningServers: "server.4" }, ErrorCode.BADARGUMENTS],
    [{ joiningServers: "server.4=host4:2888:3888" }, ErrorCode.BADARGUMENTS],
    [{ joiningServers: "server.4=host4:2888;2181" }, ErrorCode.BADARGUMENTS],
    [{ joiningServers: "server.4=host1:2888:3888;2181" }, ErrorCode.BADARGUMENTS],
    [{ joiningServers: "server.x=host4:2888:3888;2181" }, ErrorCode.MARSHALLINGERROR],
    [{ leavingServers: "x" }, ErrorCode.MARSHALLINGERROR],
    [{ leavingServers: "2,3" }, ErrorCode.BADARGUMENTS],
    [{ leavingServers: "1,2,3" }, ErrorCode.BADARGUMENTS]
  ])("%j", (request, error) => {
    assert.equal(ask(request), error)
  })
  it("where the right version is named it may go on", () => {
    assert.equal(ask({ curConfigId: three.version, leavingServers: "3" }), text(line(1), line(2)))
  })
  it("without a quorum that is up to date", () => {
    const joining = { joiningServers: `${line(4)},${line(5)}` }
    assert.equal(ask(joining, { synced: new Set([1, 2]) }), ErrorCode.NEWCONFIGNOQUORUM)
    assert.equal(
      ask({ leavingServers: "1,2", ...joining }, { synced: new Set([1, 2, 3]) }),
      ErrorCode.NEWCONFIGNOQUORUM
    )
    assert.equal(typeof ask(joining, { synced: new Set([1, 2, 4]) }), "string")
  })
  it("unless one voter is enough", () => {
    assert.equal(ask({ leavingServers: "2,3" }, { standaloneEnabled: false }), text(line(1)))
  })
})
