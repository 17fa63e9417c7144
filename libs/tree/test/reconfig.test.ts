import { ErrorCode, EventType, OpCode, readStat, writeReconfigRequest, writeWatchedPathRequest } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { type Client, type Reply, World } from "./world.ts"

const line = (sid: number) => `server.${sid}=host${sid}:2888:3888:participant;0.0.0.0:2181`
const INITIAL = `${line(1)}\n${line(2)}\n${line(3)}\nversion=100000000`
const PATH = "/zookeeper/config"
const SUPER = [{ scheme: "super", id: "" }]

interface Change {
  readonly joining?: string
  readonly leaving?: string
  readonly members?: string
  readonly from?: number
}

const request = ({ joining, leaving, members, from }: Change) =>
  ({
    joiningServers: joining ?? null,
    leavingServers: leaving ?? null,
    newMembers: members ?? null,
    curConfigId: from ?? -1
  }) as const

const reconfig = (client: Client, change: Change): Reply =>
  client.run(OpCode.reconfig, (w) => writeReconfigRequest(w, request(change)))

const configOf = (client: Client): string =>
  client
    .read(OpCode.getData, (w) => writeWatchedPathRequest(w, { path: PATH, watch: false }))
    .body.buffer()!
    .toString()

const world = (options: { enabled?: boolean; text?: string; synced?: ReadonlyArray<number> } = {}) => {
  const made = new World({ reconfigEnabled: options.enabled ?? true })
  made.tree.setConfig(options.text ?? INITIAL)
  made.preparer.reconfiguring.upToDate(options.synced ?? [1, 2, 3, 4])
  const client = made.client()
  client.identity = SUPER
  return { made, client }
}

describe("a reconfiguration", () => {
  it("is a transaction that changes /zookeeper/config, and answers with what it has become", () => {
    const { client, made } = world()
    const reply = client.run(OpCode.reconfig, (w) => writeReconfigRequest(w, request({ joining: line(4) })))
    assert.equal(reply.err, 0)
    const text = `${line(1)}\n${line(2)}\n${line(3)}\n${line(4)}\nversion=${made.tree.zxid.toString(16)}`
    assert.equal(reply.body.buffer()!.toString(), text)
    const stat = readStat(reply.body)
    assert.equal(reply.body.remaining, 0)
    assert.equal(stat.mzxid, made.tree.zxid)
    assert.equal(stat.version, -1)
    assert.equal(stat.dataLength, text.length)
    assert.equal(reply.txn.type, OpCode.reconfig)
    assert.deepEqual(
      reply.txn.events?.map(({ type, path }) => ({ type, path })),
      [{ type: EventType.NodeDataChanged, path: PATH }]
    )
    assert.equal(configOf(client), text)
    assert.equal(made.batches.at(-1)!.count, 1)
  })

  it("outlives what each peer knows from its file", () => {
    const { client, made } = world()
    assert.equal(reconfig(client, { leaving: "3" }).err, 0)
    const text = configOf(client)
    made.tree.setConfig(INITIAL)
    assert.equal(configOf(client), text)
  })

  it("names the version that it means to change", () => {
    const { client, made } = world()
    assert.equal(reconfig(client, { leaving: "3", from: 0x1_0000_0001 }).err, ErrorCode.BADVERSION)
    assert.equal(reconfig(client, { leaving: "3", from: 0x1_0000_0000 }).err, 0)
    const version = made.tree.zxid
    assert.equal(reconfig(client, { joining: line(3), from: 0x1_0000_0000 }).err, ErrorCode.BADVERSION)
    assert.equal(reconfig(client, { joining: line(3), from: version }).err, 0)
  })

  it("is alone until it is applied", () => {
    const { client, made } = world()
    client.send(OpCode.reconfig, (w) => writeReconfigRequest(w, request({ leaving: "3" })))
    const second = client.run(OpCode.reconfig, (w) => writeReconfigRequest(w, request({ leaving: "2" })))
    assert.equal(second.err, ErrorCode.RECONFIGINPROGRESS)
    assert.equal(reconfig(client, { joining: line(3) }).err, 0)
    assert.equal(made.tree.configText().split("\n").length, 4)
  })

  it.each([
    ["it is not offered", { enabled: false }, { leaving: "3" }, ErrorCode.RECONFIGDISABLED],
    ["a server is alone", { text: `${line(1)}\nversion=0` }, { joining: line(2) }, ErrorCode.UNIMPLEMENTED],
    ["nobody knows the members", { text: "" }, { joining: line(2) }, ErrorCode.UNIMPLEMENTED],
    ["the newcomers are not there", { synced: [1] }, { joining: line(4) }, ErrorCode.NEWCONFIGNOQUORUM],
    ["it is nonsense", {}, { joining: "server.4=" }, ErrorCode.BADARGUMENTS],
    ["nobody is left", {}, { leaving: "1,2,3" }, ErrorCode.BADARGUMENTS]
  ])("is refused if %s", (_, options, change, error) => {
    const { client, made } = world(options)
    const before = made.tree.configText()
    assert.equal(reconfig(client, change).err, error)
    assert.equal(made.tree.configText(), before)
  })

  it("is for those who may write the configuration", () => {
    const { client } = world()
    client.identity = [{ scheme: "ip", id: "127.0.0.1" }]
    assert.equal(reconfig(client, { leaving: "3" }).err, ErrorCode.NOAUTH)
    // What is wrong with it is told before.
    assert.equal(reconfig(client, { leaving: "2,3" }).err, ErrorCode.BADARGUMENTS)
  })
})
