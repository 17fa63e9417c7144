/** What an operator sees, beside what Debian's ZooKeeper shows. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { ZkClient } from "@zkmesh/client"
import { CreateMode } from "@zkmesh/protocol"
import { fourLetterWord } from "./setup/four-letter-words.ts"
import { freeRange } from "./setup/ports.ts"
import { eventually } from "./setup/processes.ts"
import { Ensemble } from "./setup/zkmesh.ts"
import { mode, ZooKeeper } from "./setup/zookeeper.ts"

let ours: Ensemble
let theirs: ZooKeeper
let admin: number

beforeAll(async () => {
  admin = await freeRange(3)
  const settings = [
    "admin.enableServer=true",
    `admin.serverPort=${admin}`,
    "admin.rateLimiterIntervalInMS=0",
    "audit.enable=true"
  ]
  ;[ours, theirs] = await Promise.all([Ensemble.start(3, settings), ZooKeeper.start(3)])
})

afterAll(async () => {
  await Promise.all([ours?.stop(), theirs?.stop()])
})

const roleOf = async (ports: ReadonlyArray<number>, role: string): Promise<number> => {
  const modes = await Promise.all(ports.map((port) => mode(port)))
  return ports[modes.indexOf(role)]!
}

/** A text without what differs from run to run: numbers and what is inside of braces. */
const shapeOf = (text: string | undefined): Array<string> =>
  (text ?? "")
    .split("\n")
    .map((line) => line.replaceAll(/-?\d+(\.\d+)?/g, (found) => (found.includes(".") ? "D" : "N")))

const get = async (path: string, peer = 0) => {
  const response = await fetch(`http://127.0.0.1:${admin + peer}${path}`)
  return { status: response.status, body: await response.text() }
}
const command = async (name: string, peer = 0): Promise<Record<string, unknown>> =>
  JSON.parse((await get(`/commands/${name}`, peer)).body)

describe("four-letter words", () => {
  it("srvr, stat, cons, wchs, wchc, wchp, dirs, envi, gtmk, isro and ruok have ZooKeeper's lines", async () => {
    const [mine, zookeepers] = await Promise.all([roleOf(ours.ports, "leader"), roleOf(theirs.ports, "leader")])
    for (const word of [
      "srvr",
      "stat",
      "cons",
      "wchs",
      "wchc",
      "wchp",
      "dirs",
      "gtmk",
      "isro",
      "ruok",
      "crst",
      "srst"
    ]) {
      const [own, original] = await Promise.all([fourLetterWord(mine, word), fourLetterWord(zookeepers, word)])
      const lines = (text: string | undefined) => shapeOf(text).filter((line) => !line.startsWith("Zookeeper version"))
      assert.deepStrictEqual(lines(own), lines(original), word)
    }
    const keys = (text: string | undefined) => (text ?? "").split("\n").map((line) => line.split("=", 1)[0])
    assert.deepStrictEqual(
      keys(await fourLetterWord(mine, "envi")).filter(Boolean),
      keys(await fourLetterWord(zookeepers, "envi")).filter(Boolean)
    )
  })

  it("stmk sets the trace mask of its eight bytes, and an unknown word is none", async () => {
    const [port] = ours.ports
    assert.strictEqual(await fourLetterWord(port!, "stmk\0\0\0\0\0\0\x01\x02"), "258")
    assert.strictEqual(await fourLetterWord(port!, "gtmk"), "258")
    assert.strictEqual(await fourLetterWord(port!, "abcd"), "")
  })
})

describe("the admin server", () => {
  it("lists its commands and answers each by all its names", async () => {
    const { body } = await get("/commands")
    const names = [...body.matchAll(/href="\/commands\/(\w+)"/g)].map(([, name]) => name!)
    assert.includeMembers(names, [
      "configuration",
      "monitor",
      "server_stats",
      "voting_view",
      "watch_summary",
      "zabstate"
    ])
    for (const name of names.filter(
      (one) => !["snapshot", "restore", "set_trace_mask", "shed_connections"].includes(one)
    )) {
      const answer = await command(name)
      assert.strictEqual(answer["command"], name)
      assert.isNull(answer["error"], name)
    }
    assert.strictEqual((await command("mntr"))["command"], "monitor")
    assert.strictEqual((await command("nonsense"))["error"], "Unknown command: nonsense")
  })

  it("says who leads, as the four-letter words do", async () => {
    const leader = ours.ports.indexOf(await roleOf(ours.ports, "leader"))
    const { is_leader, leader_id } = await command("leader", leader)
    assert.deepStrictEqual({ is_leader, leader_id }, { is_leader: true, leader_id: leader + 1 })
    assert.strictEqual((await command("monitor", leader))["synced_followers"], 2)
    assert.strictEqual((await command("zabstate", leader))["zabstate"], "broadcast")
    const { data_dir_size, log_dir_size } = (await command("server_stats"))["server_stats"] as Record<string, number>
    assert.isAbove(data_dir_size!, 0)
    assert.isAbove(log_dir_size!, 0)
  })

  it("lets go of clients, whose sessions go on", async () => {
    const client = new ZkClient(`127.0.0.1:${ours.ports[2]}`)
    await client.connected()
    await client.create("/shed", "mine", { mode: CreateMode.EPHEMERAL })
    const shed = async (body: string, headers = {}) => {
      const response = await fetch(`http://127.0.0.1:${admin + 2}/commands/shed`, { method: "POST", headers, body })
      return { status: response.status, body: (await response.json()) as Record<string, unknown> }
    }
    assert.strictEqual((await shed('{"percentage": 100}')).status, 401)
    const authorization = { authorization: "digest root:secret" }
    assert.strictEqual((await shed('{"percentage": 101}', authorization)).status, 400)
    assert.strictEqual((await shed('{"percentage": 0}', authorization)).body["connections_shed"], 0)
    const gone = new Promise((resolve) => client.once("state", resolve))
    const { status, body } = await shed('{"percentage": 100}', authorization)
    assert.strictEqual(status, 200)
    assert.isAtLeast(body["connections_shed"] as number, 1)
    await gone
    await client.connected()
    assert.strictEqual((await client.getData("/shed")).data?.toString(), "mine")
    await client.close()
  })

  it("is alive and ready, part by part", async () => {
    assert.strictEqual((await get("/health/live")).status, 200)
    const ready = await eventually(
      async () => {
        const { status, body } = await get("/health/ready", 1)
        return status === 200 ? (JSON.parse(body) as { condition: string; parts: Record<string, unknown> }) : undefined
      },
      "peer 2 to be ready",
      10_000
    )
    assert.strictEqual(ready.condition, "serving")
    assert.includeMembers(Object.keys(ready.parts), ["peer 2", "broadcast.2", "znode.2", "session.2", "frontend.2"])
  })
})

describe("a snapshot", () => {
  const authorization = { authorization: "digest root:secret" }
  const acl = [{ perms: 1, id: { scheme: "world", id: "anyone" } }]

  it("is taken from one server and put back through another, the same on all", async () => {
    const client = new ZkClient(ours.connect)
    await client.connected()
    await client.create("/kept", "as it was")
    await client.create("/kept/child", "one")
    await client.create("/deleted", Buffer.alloc(200_000, 7))
    await client.create("/closed", "secret", { acl })
    assert.strictEqual((await get("/commands/snapshot")).status, 401)
    const url = (peer: number, name: string) => `http://127.0.0.1:${admin + peer}/commands/${name}`
    const taken = await fetch(url(0, "snapshot"), { headers: authorization })
    const snapshot = Buffer.from(await taken.arrayBuffer())
    assert.strictEqual(taken.status, 200)
    assert.strictEqual(taken.headers.get("snapshot_size"), `${snapshot.length}`)
    assert.match(taken.headers.get("last_zxid") ?? "", /^0x[1-9a-f]/)

    await client.setData("/kept", "changed")
    await client.delete("/deleted")
    await client.create("/added", "later")
    await client.create("/added/ephemeral", null, { mode: CreateMode.EPHEMERAL })
    const post = (body: Buffer<ArrayBuffer>) =>
      fetch(url(1, "restore"), { method: "POST", headers: authorization, body: new Uint8Array(body) })
    const cut = await post(snapshot.subarray(0, snapshot.length - 5) as Buffer<ArrayBuffer>)
    assert.strictEqual(cut.status, 400)
    assert.strictEqual((await client.getData("/kept")).data?.toString(), "changed")
    const restored = await post(snapshot)
    assert.strictEqual(restored.status, 200, await restored.text())

    for (const port of ours.ports) {
      const reader = new ZkClient(`127.0.0.1:${port}`)
      await reader.connected()
      await reader.sync()
      assert.deepStrictEqual((await reader.getChildren("/")).sort(), ["closed", "deleted", "kept", "zookeeper"])
      assert.strictEqual((await reader.getData("/kept")).data?.toString(), "as it was")
      assert.strictEqual((await reader.getData("/kept/child")).data?.toString(), "one")
      assert.strictEqual((await reader.getData("/deleted")).data?.length, 200_000)
      assert.deepStrictEqual((await reader.getACL("/closed")).acl, acl)
      await reader.close()
    }
    await client.close()
  })
})

describe("the audit log", () => {
  it("says who has done what, and what became of it", async () => {
    const client = new ZkClient(ours.connect)
    await client.connected()
    await client.addAuth("digest", "joe:secret")
    await client.create("/audited-", "x", { mode: CreateMode.EPHEMERAL_SEQUENTIAL })
    await client.delete("/nowhere").catch((error: Error) => assert.match(error.message, /NONODE/))
    await client.close()
    // As JSON writes tabs.
    const tab = "\\\\t"
    const who = `session=0x[0-9a-f]+${tab}user=127\\.0\\.0\\.1,joe${tab}ip=127\\.0\\.0\\.1`
    const created = `operation=create${tab}znode=/audited-\\d{10}${tab}znode_type=ephemeral_sequential${tab}result=success`
    await ours.process.line(new RegExp(`${who}${tab}${created}`))
    await ours.process.line(new RegExp(`${who}${tab}operation=delete${tab}znode=/nowhere${tab}result=failure`))
    await ours.process.line(/operation=ephemeralZNodeDeletionOnSessionCloseOrExpire\\tznode=\/audited-/)
  })
})
