import { assert, describe, it } from "@effect/vitest"
import { CreateMode, Perms, WatchEventType, ZkError, ZkTransactionError } from "@zkmesh/client"
import { type Bench, codeName, failure, seen, watching } from "./bench.ts"

/** What a client asks for, one by one and together. */
export const operations = (bench: () => Bench): void => {
  describe("operations", () => {
    it("create, read, write, delete", async () => {
      const t = bench()
      const path = await t.place()
      const { path: made, stat } = await t.base.create2(`${path}/a`, "one")
      assert.strictEqual(made, `${path}/a`)
      assert.deepStrictEqual(
        [stat.version, stat.dataLength, stat.ephemeralOwner, stat.czxid],
        [0, 3, "0x0", stat.mzxid]
      )
      const read = await t.base.getData(`${path}/a`)
      assert.strictEqual(read.data?.toString(), "one")
      assert.deepStrictEqual(read.stat, stat)
      const written = await t.base.setData(`${path}/a`, "twelve", 0)
      assert.deepStrictEqual([written.version, written.dataLength], [1, 6])
      assert.isAbove(written.mzxid, stat.mzxid)
      assert.deepStrictEqual(await t.base.exists(`${path}/a`), written)
      assert.deepStrictEqual(await t.base.getChildren(path), ["a"])
      assert.deepStrictEqual((await t.base.getChildren2(path)).stat.numChildren, 1)
      await t.base.delete(`${path}/a`, 1)
      assert.isUndefined(await t.base.exists(`${path}/a`))
    })

    it("tells null from empty data, and reads what is not text", async () => {
      const t = bench()
      const path = await t.place()
      assert.isNull((await t.base.getData(path)).data)
      await t.base.setData(path, "")
      assert.strictEqual((await t.base.getData(path)).data?.length, 0)
      const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7) & 0xff))
      await t.base.setData(path, bytes)
      assert.isTrue((await t.base.getData(path)).data?.equals(bytes))
    })

    it("fails with ZooKeeper's codes", async () => {
      const t = bench()
      const path = await t.place()
      await t.base.create(`${path}/a`)
      assert.strictEqual(await codeName(t.base.getData(`${path}/none`)), "NONODE")
      assert.strictEqual(await codeName(t.base.create(`${path}/a`)), "NODEEXISTS")
      assert.strictEqual(await codeName(t.base.create(`${path}/none/a`)), "NONODE")
      assert.strictEqual(await codeName(t.base.setData(path, "", 7)), "BADVERSION")
      assert.strictEqual(await codeName(t.base.delete(path)), "NOTEMPTY")
      assert.strictEqual(await codeName(t.base.create("relative")), "BADARGUMENTS")
      assert.strictEqual(await codeName(t.base.getData("/a/../b")), "BADARGUMENTS")
      assert.strictEqual(await codeName(t.base.setACL(path, [])), "INVALIDACL")
      const error = await failure(t.base.getData(`${path}/none`))
      assert.instanceOf(error, ZkError)
      assert.strictEqual(error.message, `NONODE for ${path}/none`)
    })

    it("every create mode", async () => {
      const t = bench()
      const path = await t.place()
      const owner = await t.connect()
      assert.strictEqual(
        await t.base.create(`${path}/s-`, null, { mode: CreateMode.PERSISTENT_SEQUENTIAL }),
        `${path}/s-0000000000`
      )
      assert.strictEqual(
        await t.base.create(`${path}/`, null, { mode: CreateMode.PERSISTENT_SEQUENTIAL }),
        `${path}/0000000001`
      )
      const es = await owner.create2(`${path}/e-`, null, { mode: CreateMode.EPHEMERAL_SEQUENTIAL })
      assert.deepStrictEqual([es.path, es.stat.ephemeralOwner], [`${path}/e-0000000002`, owner.sessionId])
      await owner.create(`${path}/e`, null, { mode: CreateMode.EPHEMERAL })
      assert.strictEqual(await codeName(owner.create(`${path}/e/child`)), "NOCHILDRENFOREPHEMERALS")
      await t.base.create(`${path}/c`, null, { mode: CreateMode.CONTAINER })
      assert.deepStrictEqual((await owner.getEphemerals(path)).sort(), [`${path}/e`, `${path}/e-0000000002`])
      assert.deepStrictEqual(await t.base.getEphemerals(path), [])
      assert.strictEqual(await t.base.getAllChildrenNumber(path), 5)
      await owner.close()
      await t.base.sync(path)
      assert.isUndefined(await t.base.exists(`${path}/e`))
      assert.isUndefined(await t.base.exists(`${path}/e-0000000002`))
    })

    it("nodes with a time to live", async ({ skip }) => {
      const t = bench()
      skip(!t.ensemble.ttl, "not offered")
      const path = await t.place()
      const ttl = await t.base.create2(`${path}/t`, "x", { mode: CreateMode.PERSISTENT_WITH_TTL, ttlMs: 3_600_000 })
      assert.strictEqual(ttl.stat.ephemeralOwner, "0x0")
      const mode = CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL
      assert.strictEqual(await t.base.create(`${path}/t-`, "x", { mode, ttlMs: 3_600_000 }), `${path}/t-0000000001`)
      assert.strictEqual(await codeName(t.base.create(`${path}/z`, "x", { mode, ttlMs: 0 })), "BADARGUMENTS")
    })

    it("pipelines: many outstanding, answered in order", async () => {
      const t = bench()
      const path = await t.place()
      const order: Array<number> = []
      const count = 2000
      await Promise.all(
        Array.from({ length: count }, (_, i) =>
          (i % 3 === 0 ? t.base.setData(path, `${i}`) : t.base.getData(path)).then(() => order.push(i))
        )
      )
      assert.deepStrictEqual(
        order,
        Array.from({ length: count }, (_, i) => i)
      )
      assert.strictEqual((await t.base.getData(path)).stat.version, Math.ceil(count / 3))
    })

    it("sync, and lastZxidSeen only grows", async () => {
      const t = bench()
      const path = await t.place()
      const before = t.base.lastZxidSeen
      await t.base.sync(path)
      const { mzxid } = await t.base.setData(path, "x")
      assert.isAbove(t.base.lastZxidSeen, before)
      assert.isAtLeast(t.base.lastZxidSeen, mzxid)
    })

    it("a chroot is what the client sees", async () => {
      const t = bench()
      const path = await t.place()
      const client = await t.connect(path)
      assert.strictEqual(await client.create("/a"), "/a")
      assert.strictEqual(await client.create("/s-", null, { mode: CreateMode.EPHEMERAL_SEQUENTIAL }), "/s-0000000001")
      assert.deepStrictEqual(await client.getEphemerals(), ["/s-0000000001"])
      assert.deepStrictEqual((await client.getChildren("/")).sort(), ["a", "s-0000000001"])
      assert.deepStrictEqual((await t.base.getChildren(path)).sort(), ["a", "s-0000000001"])
      const { watcher, next } = watching()
      await client.getData("/a", watcher)
      await t.base.setData(`${path}/a`, "x")
      assert.strictEqual(seen(await next()), `${WatchEventType.NodeDataChanged} /a`)
      const [created] = await client.transaction().create("/b").commit()
      assert.deepStrictEqual(created, { op: "create", path: "/b", stat: undefined })
    })
  })

  describe("transactions", () => {
    it("happen as a whole", async () => {
      const t = bench()
      const path = await t.place()
      const results = await t.base
        .transaction()
        .check(path, 0)
        .create(`${path}/a`, "1")
        .create2(`${path}/b-`, "2", { mode: CreateMode.PERSISTENT_SEQUENTIAL })
        .setData(`${path}/a`, "3", 0)
        .delete(`${path}/a`, 1)
        .commit()
      assert.deepStrictEqual(
        results.map((result) => result.op),
        ["check", "create", "create", "setData", "delete"]
      )
      assert.deepStrictEqual(await t.base.getChildren(path), ["b-0000000001"])
      assert.deepStrictEqual(await t.base.transaction().commit(), [])
    })

    it("or not at all, and say who is to blame", async () => {
      const t = bench()
      const path = await t.place()
      const failing = t.base.transaction().create(`${path}/a`).delete(`${path}/none`).create(`${path}/b`)
      const error = await failure(failing.commit())
      assert.instanceOf(error, ZkTransactionError)
      assert.deepStrictEqual(
        [error.index, error.codeName, error.path, [...error.results]],
        [1, "NONODE", `${path}/none`, [0, -101, -2]]
      )
      assert.deepStrictEqual(await t.base.getChildren(path), [])
    })

    it("multiRead answers for each part", async () => {
      const t = bench()
      const path = await t.place()
      await t.base.create(`${path}/a`, "1")
      const [data, children, none] = await t.base.multiRead([
        { op: "getData", path: `${path}/a` },
        { op: "getChildren", path },
        { op: "getData", path: `${path}/none` }
      ])
      assert.strictEqual(data !== undefined && "data" in data ? data.data?.toString() : undefined, "1")
      assert.deepStrictEqual(children, { children: ["a"] })
      assert.strictEqual(none instanceof ZkError ? none.codeName : undefined, "NONODE")
    })
  })

  describe("ACLs", () => {
    it("are set, read and obeyed", async () => {
      const t = bench()
      const path = await t.place()
      const alice = await t.connect()
      await alice.addAuth("digest", "alice:secret")
      const acl = [{ perms: Perms.ALL, id: { scheme: "auth", id: "" } }]
      await alice.create(`${path}/hers`, "x", { acl })
      assert.strictEqual(await codeName(t.base.getData(`${path}/hers`)), "NOAUTH")
      const read = await alice.getACL(`${path}/hers`)
      assert.deepStrictEqual(
        [read.acl[0]?.perms, read.acl[0]?.id.scheme, read.acl[0]?.id.id.startsWith("alice:")],
        [31, "digest", true]
      )
      assert.include(
        (await alice.whoAmI()).map(({ authScheme, user }) => `${authScheme} ${user}`),
        "digest alice"
      )
      const open = [{ perms: Perms.READ, id: { scheme: "world", id: "anyone" } }]
      assert.strictEqual((await alice.setACL(`${path}/hers`, open, 0)).aversion, 1)
      assert.strictEqual((await t.base.getData(`${path}/hers`)).data?.toString(), "x")
      assert.strictEqual(await codeName(alice.setACL(`${path}/hers`, open)), "NOAUTH")
    })

    it("an identity that is refused ends the session", async () => {
      const t = bench()
      const client = await t.connect()
      assert.strictEqual(await codeName(client.addAuth("nonsense", "x")), "AUTHFAILED")
      assert.strictEqual(client.state, "AUTH_FAILED")
      assert.strictEqual(await codeName(client.getData("/")), "AUTHFAILED")
    })
  })
}
