import { once } from "node:events"
import { assert, describe, it } from "@effect/vitest"
import { CreateMode, Perms, WatchEventType, ZkClient } from "@zkmesh/client"
import { type Bench, codeName, seen, watching } from "./bench.ts"

/** What survives the loss of a connection or a server, and what does not. */
export const connections = (bench: () => Bench): void => {
  describe("connections", () => {
    it("what is in flight fails with CONNECTIONLOSS, and the session goes on at the next server", async () => {
      const t = bench()
      const path = await t.place()
      const [one, two] = [await t.proxy(), await t.proxy()]
      const client = await t.connectThrough([one, two])
      const { sessionId } = client
      await client.create(`${path}/e`, null, { mode: CreateMode.EPHEMERAL })
      assert.strictEqual(client.server, one.address)
      one.freeze()
      const lost = client.getData(path)
      const disconnected = once(client, "disconnect")
      one.cut()
      assert.strictEqual(await codeName(lost), "CONNECTIONLOSS")
      await disconnected
      await client.connected(30_000)
      assert.deepStrictEqual([client.server, client.sessionId], [two.address, sessionId])
      assert.strictEqual((await client.exists(`${path}/e`))?.ephemeralOwner, sessionId)
    })

    it("watches and identities come along", async () => {
      const t = bench()
      const path = await t.place()
      const link = await t.proxy()
      const client = await t.connectThrough([link])
      await client.addAuth("digest", "bob:pw")
      const acl = [{ perms: Perms.ALL, id: { scheme: "auth", id: "" } }]
      await client.create(`${path}/his`, "x", { acl })
      await t.base.create(`${path}/a`)
      await t.base.create(`${path}/b`)
      const [data, missed, child, exist, every] = [watching(), watching(), watching(), watching(), watching()]
      await client.getData(`${path}/a`, data.watcher)
      await client.getData(`${path}/b`, missed.watcher)
      await client.getChildren(path, child.watcher)
      await client.exists(`${path}/c`, exist.watcher)
      await client.addWatch(`${path}/a`, every.watcher)
      link.refuse(true)
      const gone = once(client, "disconnect")
      link.cut()
      await gone
      await t.base.setData(`${path}/b`, "while away")
      await t.base.create(`${path}/c`)
      link.refuse(false)
      await client.connected(30_000)
      assert.deepStrictEqual(
        [seen(await missed.next()), seen(await exist.next()), seen(await child.next())],
        [`3 ${path}/b`, `1 ${path}/c`, `4 ${path}`]
      )
      await t.base.setData(`${path}/a`, "now")
      assert.deepStrictEqual([seen(await data.next()), seen(await every.next())], [`3 ${path}/a`, `3 ${path}/a`])
      assert.strictEqual((await client.getData(`${path}/his`)).data?.toString(), "x")
    })

    it("requests made while disconnected wait for the next connection, or fail when nobody is there", async () => {
      const t = bench()
      const path = await t.place()
      const link = await t.proxy()
      const client = await t.connectThrough([link])
      link.refuse(true)
      const gone = once(client, "disconnect")
      link.cut()
      await gone
      assert.strictEqual(await codeName(client.getData(path)), "CONNECTIONLOSS")
      link.refuse(false)
      await client.connected(30_000)
      const second = once(client, "disconnect")
      link.cut()
      await second
      assert.isNull((await client.getData(path)).data)
    })

    it("pings keep an idle session, and silence is noticed", async () => {
      const t = bench()
      const link = await t.proxy()
      const client = await t.connectThrough([link], { sessionTimeoutMs: 1500 })
      const states: Array<string> = []
      client.on("state", (state) => states.push(state))
      const silent = once(client, "disconnect")
      const later = new Promise((resolve) => setTimeout(resolve, 2 * client.sessionTimeoutMs))
      await later
      assert.deepStrictEqual(states, [])
      link.freeze()
      const [reason] = await silent
      assert.match(String(reason), /silent/)
      await client.connected(30_000)
      assert.deepStrictEqual(states, ["CONNECTING", "CONNECTED"])
    })

    it("a session can be gone on with by another client, and is lost to a wrong password", async () => {
      const t = bench()
      const path = await t.place()
      const first = await t.connect()
      await first.create(`${path}/e`, null, { mode: CreateMode.EPHEMERAL })
      const session = first.session!
      const second = await t.connect("", { session })
      assert.strictEqual(second.sessionId, first.sessionId)
      assert.isDefined(await second.exists(`${path}/e`))
      const wrong = new ZkClient(t.ensemble.servers.join(","), {
        session: { ...session, password: new Uint8Array(16) }
      })
      assert.strictEqual(await codeName(wrong.connected(30_000)), "SESSIONEXPIRED")
      assert.strictEqual(wrong.state, "EXPIRED")
      assert.strictEqual(await codeName(wrong.getData("/")), "SESSIONEXPIRED")
    })

    it("an expired session is told, and its ephemerals are gone", async () => {
      const t = bench()
      const path = await t.place()
      const link = await t.proxy()
      const client = await t.connectThrough([link], { sessionTimeoutMs: 1000 })
      await client.create(`${path}/e`, null, { mode: CreateMode.EPHEMERAL })
      const ended = watching()
      await client.getData(path, ended.watcher)
      const deleted = watching()
      await t.base.exists(`${path}/e`, deleted.watcher)
      link.refuse(true)
      link.cut()
      assert.strictEqual((await deleted.next()).type, WatchEventType.NodeDeleted)
      link.refuse(false)
      assert.strictEqual((await ended.next()).type, WatchEventType.None)
      assert.strictEqual(client.state, "EXPIRED")
    })

    it("survives the death of the server, with its session", { timeout: 120_000 }, async () => {
      const t = bench()
      const path = await t.place()
      const client = await t.connect("", { sessionTimeoutMs: 10_000 })
      const { sessionId } = client
      await client.create(`${path}/e`, "kept", { mode: CreateMode.EPHEMERAL })
      const gone = once(client, "disconnect")
      await t.ensemble.restart()
      await gone
      await client.connected(30_000)
      await t.base.connected(30_000)
      assert.strictEqual(client.sessionId, sessionId)
      assert.strictEqual((await client.getData(`${path}/e`)).data?.toString(), "kept")
    })
  })
}
