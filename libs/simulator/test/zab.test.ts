import { zxid } from "@zkmesh/numbers"
import { OpCode } from "@zkmesh/protocol"
import { MemoryDatabase } from "@zkmesh/store"
import { describe, expect, it } from "vitest"
import { History } from "../src/checks/history.ts"
import { ZabChecks } from "../src/checks/zab.ts"
import { configurationOf } from "../src/membership.ts"

const historyOf = (...zxids: ReadonlyArray<number>): History => {
  const history = new History(configurationOf([1, 2, 3], []))
  for (const at of zxids) deliver(history, at)
  return history
}

const deliver = (history: History, at: number): void => {
  const txn = { zxid: at, session: at, seq: 0, cxid: 0, type: OpCode.closeSession, hash: 0, err: 0 }
  history.append({ ...txn, configuration: undefined })
}

/** Two servers, 4 and 5, have their checkpoints at `has`. */
const checksOf = (history: History, has: number): ZabChecks => {
  const disk = () => {
    const database = new MemoryDatabase()
    database.checkpoint = has
    return { database, lostUpTo: 0 }
  }
  return new ZabChecks(history, new Map([4, 5].map((sid) => [sid, disk()])), () => {})
}

const says = (checks: ZabChecks, leader: number, epoch: number, zxid: number): void =>
  checks.published({ _tag: "Commit", leader, epoch, zxid, digest: undefined })

/** One transaction was delivered in epoch 8, and one in 10; whoever speaks has its checkpoint at `has`. */
const speaks = (epoch: number, has: number): void =>
  says(checksOf(historyOf(zxid(8, 1), zxid(10, 1)), has), 4, epoch, has)

describe("a leader that speaks for the first time", () => {
  it("has all that was delivered before its epoch", () => {
    expect(() => speaks(9, zxid(7, 5))).toThrow(/4 leads epoch 9 without committed 0x800000001/)
    expect(() => speaks(11, zxid(8, 1))).toThrow(/4 leads epoch 11 without committed 0xa00000001/)
    speaks(11, zxid(10, 1))
  })

  it("need not have what a later leader has delivered by then", () => {
    speaks(9, zxid(8, 1))
  })

  it("need not have what was undecided until a later leader delivered it", () => {
    const history = historyOf(zxid(8, 1))
    const checks = checksOf(history, zxid(8, 1))
    says(checks, 5, 10, zxid(8, 1))
    deliver(history, zxid(8, 2))
    says(checks, 4, 9, zxid(8, 1))
    expect(() => says(checksOf(history, zxid(8, 1)), 4, 9, zxid(8, 1))).toThrow(/without committed 0x800000002/)
  })
})

describe("a transaction that was delivered", () => {
  /** It is 0x800000001, of an ensemble of three of whom one has it; another has lost what it had up to `lostUpTo`. */
  const judge = (lostUpTo: number): void => {
    const at = zxid(8, 1)
    const history = historyOf(at)
    const [having, losing, empty] = [new MemoryDatabase(), new MemoryDatabase(), new MemoryDatabase()]
    having.checkpoint = at
    const disks = [
      { database: having, lostUpTo: 0 },
      { database: losing, lostUpTo },
      { database: empty, lostUpTo: 0 }
    ]
    new ZabChecks(history, new Map(disks.map((disk, index) => [index + 1, disk])), () => {}).logs()
  }

  it("is on a quorum's disks, or was on those that have been set aside since", () => {
    judge(zxid(8, 1))
    expect(() => judge(zxid(7, 9))).toThrow(/0x800000001 was delivered, but 1 disks have it/)
  })
})
