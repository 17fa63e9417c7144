/** What a frontend knows of a client that may have to go on elsewhere. */
import { ClientRequest } from "@zkmesh/messages"
import {
  ErrorCode,
  EventType,
  JuteReader,
  JuteWriter,
  OpCode,
  readSetWatches2Request,
  writeEmptyReply,
  writeNotification
} from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { Carry } from "../src/carry/Carry.ts"

const CONN = 7
let xid = 1

const request = (op: number, write: (writer: JuteWriter) => void = () => undefined): ClientRequest => {
  const writer = new JuteWriter()
  writer.int(0)
  write(writer)
  const bytes = writer.take()
  return new ClientRequest(CONN, op === OpCode.ping ? -2 : xid++, op, bytes, 4, bytes.length)
}
const read = (op: number, path: string, watch: boolean) =>
  request(op, (w) => {
    w.ustring(path)
    w.bool(watch)
  })
const write = () => request(OpCode.setData, (w) => w.ustring("/w"))
const reply = (of: number, err: number = ErrorCode.OK, zxid = 50): Uint8Array => {
  const writer = new JuteWriter()
  writeEmptyReply(writer, of, zxid, err)
  return writer.take()
}
const event = (type: EventType, path: string, zxid = 50): Uint8Array => {
  const writer = new JuteWriter()
  writeNotification(writer, zxid, type, path)
  return writer.take()
}
const joined = (...frames: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(frames))

/** Of the frames that a client is told now. */
const xids = (told: ReturnType<Carry["release"]>): ReadonlyArray<number> => {
  assert.isDefined(told)
  return told!.map(({ bytes }) => new DataView(bytes.buffer, bytes.byteOffset).getInt32(4))
}
const zxids = (told: ReturnType<Carry["release"]>): ReadonlyArray<number> =>
  told!.map(({ bytes }) => new DataView(bytes.buffer, bytes.byteOffset).getInt32(12))

const carry = () => new Carry(new Uint8Array(16), 100)
/** Asks and is answered. */
const done = (one: Carry, what: ClientRequest, err: number = ErrorCode.OK): void => {
  one.asked(what)
  one.told(reply(what.xid, err), 1)
}
const resumed = (one: Carry, logged: number): ReadonlyArray<ClientRequest> => {
  const again = one.resumed(200, logged, CONN, 50)
  assert(typeof again !== "string", String(again))
  return again
}
/** What is registered anew: nothing if there is nothing. */
const registered = (one: Carry, since = 50) => {
  const [first] = resumed(one, one.resume.answered)
  if (first?.op !== OpCode.resumeWatches) return undefined
  const { relativeZxid, ...watches } = readSetWatches2Request(new JuteReader(first.buffer, first.start, first.end))
  assert.equal(relativeZxid, since)
  return Object.fromEntries(Object.entries(watches).filter(([, paths]) => paths.length > 0))
}

describe("what a client waits for", () => {
  it("is asked again in order, without what the log has", () => {
    const one = carry()
    done(one, write())
    done(one, read(OpCode.getData, "/a", false))
    const [inLog, alsoInLog, pending, behind] = [write(), write(), write(), read(OpCode.exists, "/b", false)]
    for (const next of [inLog, alsoInLog, pending, behind]) one.asked(next)
    assert.deepEqual(one.resume, { connection: 100, answered: 1 })
    assert.deepEqual(resumed(one, 3), [pending, behind])
    assert.isTrue(one.isSettling)
    assert.deepEqual(xids(one.release(joined(reply(inLog.xid), reply(alsoInLog.xid)))), [inLog.xid, alsoInLog.xid])
    assert.isFalse(one.isSettling)
    assert.deepEqual(one.resume, { connection: 200, answered: 0 }, "they have no number in the new connection")
    one.told(joined(reply(pending.xid), reply(behind.xid)), 2)
    assert.deepEqual(one.resume, { connection: 200, answered: 1 })
  })

  it("counts what ends in an error like everything else, and pings not at all", () => {
    const one = carry()
    done(one, write(), ErrorCode.NONODE)
    done(one, request(OpCode.ping))
    done(
      one,
      request(OpCode.sync, (w) => w.ustring("/"))
    )
    assert.equal(one.resume.answered, 2)
    const [first, ping, second] = [write(), request(OpCode.ping), write()]
    for (const next of [first, ping, second]) one.asked(next)
    assert.deepEqual(resumed(one, 4), [ping])
    assert.deepEqual(xids(one.release(joined(reply(first.xid), reply(second.xid)))), [first.xid])
    assert.deepEqual(xids(one.release(reply(-2))), [-2, second.xid])
  })

  it("is not to be had if a read would see a later write of its own", () => {
    for (const [op, path] of [
      [OpCode.getData, "/w"],
      [OpCode.getAllChildrenNumber, "/"],
      [OpCode.getEphemerals, "/"]
    ] as const) {
      const one = carry()
      one.asked(read(op, path, false))
      one.asked(write())
      assert.match(String(one.resumed(200, 1, CONN, 50)), /read/)
    }
    assert.match(String(carry().resumed(200, 1, CONN, 50)), /not made/)
  })

  it("is answered in its order, and as of no earlier zxid, though writes of its own have overtaken a read", () => {
    const one = carry()
    const [first, logged, second, alsoLogged, third, open] = [
      read(OpCode.getData, "/a", false),
      write(),
      read(OpCode.getChildren2, "/b", true),
      write(),
      read(OpCode.exists, "/c", false),
      write()
    ]
    for (const next of [first, logged, second, alsoLogged, third, open]) one.asked(next)
    assert.deepEqual(resumed(one, 2), [first, second, third, open])
    assert.deepEqual(xids(one.release(reply(logged.xid, 0, 120))), [])
    assert.deepEqual(xids(one.release(reply(alsoLogged.xid, 0, 130))), [])
    const told = one.release(joined(reply(first.xid, 0, 210), event(EventType.NodeCreated, "/x", 211)))
    assert.deepEqual(xids(told), [first.xid, logged.xid, -1])
    assert.deepEqual(zxids(told), [210, 210, 211], "what the read has shown is not taken back")
    assert.isTrue(one.isSettling)
    const rest = one.release(joined(reply(second.xid, 0, 212), reply(third.xid, 0, 212)))
    assert.deepEqual(xids(rest), [second.xid, alsoLogged.xid, third.xid])
    assert.deepEqual(zxids(rest), [212, 212, 212])
    assert.isFalse(one.isSettling)
    one.told(reply(open.xid, 0, 213), 1)
    assert.deepEqual(one.resume, { connection: 200, answered: 1 })
    assert.deepEqual(registered(one, 212), { child: ["/b"] }, "what it has really seen is newer than what it was told")
  })

  it("keeps its order if the new peer fails before the read is answered", () => {
    const one = carry()
    const [first, logged, open] = [read(OpCode.getData, "/a", false), write(), write()]
    for (const next of [first, logged, open]) one.asked(next)
    resumed(one, 1)
    assert.deepEqual(xids(one.release(reply(logged.xid, 0, 120))), [])
    const again = one.resumed(300, 1, CONN, 50)
    assert.deepEqual(again, [first])
    assert.deepEqual(xids(one.release(reply(open.xid, 0, 250))), [])
    assert.deepEqual(xids(one.release(reply(first.xid, 0, 310))), [first.xid, logged.xid, open.xid])
    assert.isFalse(one.isSettling)
  })

  it("is lost if the answer to what the log has is", () => {
    const one = carry()
    one.asked(write())
    resumed(one, 1)
    assert.match(String(one.resumed(300, 0, CONN, 50)), /lost/)
  })

  it("may be the end of its session", () => {
    const one = carry()
    assert.isUndefined(one.closing)
    const close = request(OpCode.closeSession)
    one.asked(close)
    assert.equal(one.closing, close.xid)
  })
})

describe("what a client watches", () => {
  it("is what it has asked for with success, until it fires", () => {
    const one = carry()
    done(one, read(OpCode.getData, "/data", true))
    done(one, read(OpCode.getData, "/none", true), ErrorCode.NONODE)
    done(one, read(OpCode.getData, "/unwatched", false))
    done(one, read(OpCode.exists, "/there", true))
    done(one, read(OpCode.exists, "/absent", true), ErrorCode.NONODE)
    done(one, read(OpCode.getChildren2, "/parent", true))
    done(one, read(OpCode.getChildren, "/gone", true))
    done(one, read(OpCode.exists, "/gone", true))
    one.told(event(EventType.NodeDeleted, "/gone"), 0)
    one.told(event(EventType.NodeChildrenChanged, "/data"), 0)
    assert.deepEqual(registered(one), { data: ["/data", "/there"], exist: ["/absent"], child: ["/parent"] })
  })

  it("is known from runs of answers with events among them", () => {
    const one = carry()
    const set = request(OpCode.setWatches, (w) => {
      w.long(1)
      w.ustrings(["/fired", "/kept"])
      w.ustrings([])
      w.ustrings(["/dir"])
    })
    const [a, b] = [read(OpCode.getData, "/a", false), read(OpCode.getData, "/b", true)]
    for (const next of [set, a, b]) one.asked(next)
    one.told(joined(event(EventType.NodeDataChanged, "/fired"), reply(-8), reply(a.xid), reply(b.xid)), 3)
    assert.deepEqual(registered(one), { data: ["/kept", "/b"], child: ["/dir"] })
  })

  it("lasts beyond its events if it is meant to, and ends when it is removed", () => {
    const one = carry()
    done(one, read(OpCode.getData, "/a", true))
    const watch = (op: number, mode: number) =>
      request(op, (w) => {
        w.ustring("/a")
        w.int(mode)
      })
    done(one, watch(OpCode.addWatch, 1))
    one.told(event(EventType.NodeDataChanged, "/a/below", 70), 0)
    assert.deepEqual(registered(one, 70), { data: ["/a"], persistentRecursive: ["/a"] })
    assert.deepEqual(xids(one.release(joined(event(EventType.NodeDeleted, "/a/below", 80), reply(-8)))), [-1])
    assert.isFalse(one.isSettling)
    done(one, watch(OpCode.removeWatches, 5))
    done(one, watch(OpCode.removeWatches, 2))
    assert.isUndefined(registered(one))
  })

  it("is registered before anything else is told, and the client does not hear of it", () => {
    const one = carry()
    done(one, read(OpCode.getData, "/mine", true))
    done(one, read(OpCode.getData, "/other", true))
    const [inLog, next] = [write(), read(OpCode.getChildren, "/dir", true)]
    one.asked(inLog)
    one.asked(next)
    const again = resumed(one, 1)
    assert.deepEqual([again.length, again[1]], [2, next])
    assert.isTrue(one.isSettling)
    assert.deepEqual(one.release(reply(inLog.xid)), [], "its event comes first")
    const fired = event(EventType.NodeDataChanged, "/mine")
    const told = one.release(joined(fired, reply(-8), reply(next.xid)))
    assert.deepEqual(
      told!.map(({ bytes, answers }) => [Buffer.from(bytes).toString("hex"), answers]),
      [
        [Buffer.from(fired).toString("hex"), 0],
        [Buffer.from(reply(inLog.xid)).toString("hex"), 1],
        [Buffer.from(reply(next.xid)).toString("hex"), 1]
      ]
    )
    assert.isFalse(one.isSettling)
    assert.deepEqual(registered(one), { data: ["/other"], child: ["/dir"] })
  })

  it("is told of together with its own writes, in the order of zxids", () => {
    const one = carry()
    done(one, read(OpCode.getData, "/a", true))
    const [first, second, next] = [write(), write(), read(OpCode.getData, "/b", false)]
    for (const asked of [first, second, next]) one.asked(asked)
    resumed(one, 2)
    assert.deepEqual(one.release(joined(reply(first.xid, 0, 120), reply(second.xid, 0, 140))), [])
    const changed = (zxid: number) => event(EventType.NodeDataChanged, "/a", zxid)
    const told = one.release(joined(changed(110), changed(120), changed(130), changed(150), reply(-8, 0, 200)))
    assert.deepEqual(xids(told), [-1, -1, first.xid, -1, second.xid, -1])
    assert.deepEqual(zxids(told), [110, 120, 120, 130, 140, 150])
    assert.isFalse(one.isSettling)
  })

  it("may be what it cannot be told of any more", () => {
    const one = carry()
    done(one, read(OpCode.getData, "/a", true))
    resumed(one, 0)
    assert.isUndefined(one.release(reply(-8, ErrorCode.UNKNOWNSESSION)))
  })

  it("is named anew by a client that was just about to do so, and not told twice", () => {
    const one = carry()
    const set = request(OpCode.setWatches, (w) => {
      w.long(1)
      w.ustrings(["/a"])
      w.ustrings([])
      w.ustrings([])
    })
    one.asked(set)
    assert.deepEqual(resumed(one, 0), [set])
    assert.isFalse(one.isSettling)
    one.told(reply(-8), 1)
    assert.deepEqual(registered(one), { data: ["/a"] })
  })

  it("takes a malformed setWatches for one that names nothing", () => {
    const one = carry()
    done(
      one,
      request(OpCode.setWatches2, (w) => w.long(1)),
      ErrorCode.MARSHALLINGERROR
    )
    done(one, read(OpCode.getData, "/a", true))
    assert.deepEqual(registered(one), { data: ["/a"] })
  })

  it("keeps what was held back if the new peer fails as well", () => {
    const one = carry()
    done(one, read(OpCode.getData, "/a", true))
    const inLog = write()
    one.asked(inLog)
    resumed(one, 1)
    one.release(reply(inLog.xid))
    resumed(one, 0)
    const told = one.release(joined(event(EventType.NodeDeleted, "/a"), reply(-8)))
    assert.deepEqual(
      told!.map(({ answers }) => answers),
      [0, 1]
    )
  })
})
