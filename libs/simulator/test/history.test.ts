import { RECONFIG } from "@zkmesh/membership"
import { ErrorCode, OpCode } from "@zkmesh/protocol"
import { describe, expect, it } from "vitest"
import { History, type Txn } from "../src/checks/history.ts"
import { configurationOf, reconfigTo } from "../src/membership.ts"

const SESSION = 7
const ZXID = 2 ** 32 + 1

const members = (...voters: ReadonlyArray<number>) => configurationOf(voters, [])

/** What the history says of a request made in view of `seen` that becomes transaction `ZXID` when `current` is in force. */
const judge = (
  current: ReturnType<typeof members>,
  seen: ReturnType<typeof members>,
  target: ReturnType<typeof members>,
  became: Pick<Txn, "err" | "configuration">
): number | undefined => {
  const history = new History(current)
  const operation = reconfigTo(seen, target, false)
  history.asked({ client: "operator", session: SESSION, xid: 1, operation, at: 0, floor: 0 })
  const type = became.configuration === undefined ? OpCode.error : RECONFIG
  history.append({ zxid: ZXID, session: SESSION, seq: 1, cxid: 1, type, hash: 0, ...became })
  return history.landedOf(SESSION, 1)?.expected.err
}

const refused = (err: number) => ({ err, configuration: undefined })

describe("a reconfiguration", () => {
  it("may be refused if it leaves one voter, as others have left since its operator has looked", () => {
    // 4 and 5 were to stay; by now they are gone, and only 3 would be left.
    const seen = members(1, 2, 3, 4, 5)
    const target = members(3, 4, 5)
    expect(judge(members(1, 2, 3), seen, target, refused(ErrorCode.BADARGUMENTS))).toBe(ErrorCode.BADARGUMENTS)
    expect(judge(members(1, 2, 3), seen, target, refused(ErrorCode.RECONFIGINPROGRESS))).toBe(
      ErrorCode.RECONFIGINPROGRESS
    )
  })

  it("may not be granted then, nor refused for want of a quorum", () => {
    const seen = members(1, 2, 3, 4, 5)
    const target = members(3, 4, 5)
    const granted = { err: 0, configuration: { ...members(3), version: ZXID } }
    expect(() => judge(members(1, 2, 3), seen, target, granted)).toThrow(/has made server\.3=/)
    const noQuorum = refused(ErrorCode.NEWCONFIGNOQUORUM)
    expect(() => judge(members(1, 2, 3), seen, target, noQuorum)).toThrow(/has failed: -13/)
  })

  it("may be refused for no other reason than who is connected and what else is on its way", () => {
    const five = members(1, 2, 3, 4, 5)
    for (const err of [ErrorCode.NEWCONFIGNOQUORUM, ErrorCode.RECONFIGINPROGRESS]) {
      expect(judge(five, five, members(1, 2), refused(err))).toBe(err)
    }
    expect(() => judge(five, five, members(1, 2), refused(ErrorCode.BADARGUMENTS))).toThrow(/has failed: -8/)
    expect(judge(five, five, members(1, 2), { err: 0, configuration: { ...members(1, 2), version: ZXID } })).toBe(0)
  })
})
