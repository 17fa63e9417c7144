/** A client that is carried over: its connection goes on from an earlier one, and nothing is done twice or forgotten. */
import { OpCode } from "@zkmesh/protocol"
import { EntryReader } from "@zkmesh/txn"
import { assert, describe, it } from "vitest"
import { Applier, Tree } from "../src/index.ts"
import { RecentReplies } from "../src/replies.ts"
import { type Client, readReply, text, World } from "./world.ts"

const TOKEN = 900

/** What the peer `self` makes of the whole log, as `Applied` tells its session service. */
const appliedAt = (world: World, self: number, capacity = 1 << 16) => {
  const applier = new Applier(new Tree(), self, new RecentReplies(capacity))
  const last = world.batches.flatMap((batch) => {
    const entries = new EntryReader(batch.bytes)
    const txns: Array<ReturnType<Applier["apply"]>> = []
    while (entries.next()) txns.push(applier.apply(entries))
    return txns
  })
  const change = last.at(-1)?.sessionChange
  assert(change?.kind === "attached")
  return change
}

const resume = (world: World, client: Client, connection: number, answered: number, token = TOKEN) =>
  world.preparer.open(
    {
      _tag: "Open",
      session: client.id,
      password: world.tree.sessions.get(client.id)!.password,
      timeoutMs: 9000,
      lastZxidSeen: 0,
      peer: 2,
      token,
      resume: { connection, answered }
    },
    world.now
  )

describe("going on from an earlier connection", () => {
  it("learns how far the log has come, with the replies that were not heard, at the peer that asked", () => {
    const world = new World()
    const client = world.client()
    client.createOk("/a", { data: text("1") })
    const second = client.run(OpCode.setData, (w) => {
      w.ustring("/a")
      w.buffer(text("22"))
      w.int(-1)
    })
    assert.equal(client.delete("/nowhere"), -101)
    assert.equal(resume(world, client, client.connection, 1), "prepared")
    world.apply()
    const { record, resumed } = appliedAt(world, 2)
    assert.equal(record.connection, world.tree.zxid)
    assert.equal(record.seq, 0)
    assert.equal(resumed?.logged, 3)
    assert.equal(resumed?.replies?.length, 2)
    assert.deepEqual(
      Buffer.from(resumed!.replies![0]!),
      Buffer.from(second.txn.reply!),
      "byte for byte as it would have been"
    )
    const failed = readReply(resumed!.replies![1]!)
    assert.deepEqual([failed.xid, failed.err], [103, -101])
    // Nobody else needs them.
    assert.isUndefined(appliedAt(world, 3).resumed?.replies)
  })

  it("counts what is on its way through the log, and refuses what the old connection asks later", () => {
    const world = new World()
    const client = world.client()
    client.sendCreate("/a")
    client.sendCreate("/b")
    assert.equal(resume(world, client, client.connection, 0), "prepared")
    assert.equal(client.sendCreate("/c"), "moved")
    world.apply()
    const { resumed } = appliedAt(world, 2)
    assert.deepEqual([resumed?.logged, resumed?.replies?.length], [2, 2])
  })

  it("goes on again from the same connection as long as the new one has asked for nothing", () => {
    const world = new World()
    const client = world.client()
    client.createOk("/a")
    const first = client.connection
    assert.equal(resume(world, client, first, 0), "prepared")
    assert.equal(resume(world, client, first, 0), "duplicate")
    assert.equal(resume(world, client, first, 0, 901), "prepared", "prepared, not applied")
    world.apply()
    assert.equal(resume(world, client, first, 0, 902), "prepared", "applied")
    world.apply()
    assert.deepEqual(appliedAt(world, 2).resumed?.replies?.length, 1)
    client.connection = world.tree.zxid
    client.seq = 0
    client.send(OpCode.sync, (w) => w.ustring("/"))
    assert.equal(resume(world, client, first, 0, 903), "moved", "it has asked for something")
    world.apply()
    assert.equal(resume(world, client, first, 0, 904), "moved")
    assert.equal(resume(world, client, client.connection, 1, 905), "prepared")
  })

  it("is refused if the session has been attached by somebody else, or is gone", () => {
    const world = new World()
    const client = world.client()
    const first = client.connection
    const password = world.tree.sessions.get(client.id)!.password
    const asOther = {
      _tag: "Open",
      session: client.id,
      password,
      timeoutMs: 1,
      lastZxidSeen: 0,
      peer: 1,
      token: 7
    } as const
    assert.equal(world.preparer.open(asOther, 0), "prepared")
    assert.equal(resume(world, client, first, 0), "moved")
    world.apply()
    assert.equal(resume(world, client, first, 0), "moved")
    client.connection = world.tree.zxid
    client.send(OpCode.closeSession, () => undefined)
    assert.equal(resume(world, client, client.connection, 0), "expired")
  })

  it("says so if the replies are not known any more", () => {
    const world = new World()
    const client = world.client()
    for (let i = 0; i < 20; i++) client.createOk(`/${i}`)
    resume(world, client, client.connection, 5)
    world.apply()
    assert.equal(appliedAt(world, 2).resumed?.replies?.length, 15)
    const short = appliedAt(world, 2, 100).resumed
    assert.deepEqual([short?.logged, short?.replies], [20, undefined])
  })
})
