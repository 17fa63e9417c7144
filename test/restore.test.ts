/** A snapshot put back: all of it or nothing, on every peer, whoever dies or is away meanwhile. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { digestOf, dump } from "./recorder/checker.ts"
import { Session, type WatchEvent } from "./recorder/session.ts"
import { Err } from "./recorder/wire.ts"
import { freeRange } from "./setup/ports.ts"
import { eventually } from "./setup/processes.ts"
import { assertSame } from "./setup/trees.ts"
import { Servers } from "./setup/zkmesh.ts"

const isLong = process.env["ZKMESH_TEST_LONG"] === "yes"
const ZNODES = isLong ? 20_000 : 5_000
const TIMEOUT_MS = 30_000
const SHORT_MS = 4000
const AUTHORIZATION = { authorization: "digest root:secret" }
const EPHEMERAL = 1
const DELETED = 2
const DATA_CHANGED = 3

let servers: Servers
let admin: number
let snapshot: Buffer<ArrayBuffer>
/** The digest of `/tree` when the snapshot was taken. */
let before: string
const events: Array<WatchEvent> = []
/** From before the snapshot: one that goes on, and one that ends. */
let old: Session
let brief: Session

const url = (peer: number, name: string) => `http://127.0.0.1:${admin + peer}/commands/${name}`
const pathOf = (i: number) => `/tree/node-${`${i}`.padStart(6, "0")}`
const ephemerals = async (peer: number) => Number((await servers.monitor(peer)).get("zk_ephemerals_count"))
const treeDigest = async (peer: number) => digestOf(await dump(servers.ports[peer]!, "/tree"))

const many = async (session: Session, count: number, act: (i: number) => Promise<{ readonly error: number }>) => {
  let next = 0
  const lane = async () => {
    while (next < count) assert.strictEqual((await act(next++)).error, 0)
  }
  await Promise.all(Array.from({ length: 200 }, lane))
  await session.sync("/tree")
}

const open = (timeoutMs = TIMEOUT_MS, onEvent?: (event: WatchEvent) => void) =>
  Session.open({ ports: servers.ports, timeoutMs, ...(onEvent === undefined ? {} : { onEvent }) })

/** What nobody wants any more: changed, deleted and new znodes, a session of its own with an ephemeral one. */
const disturb = async (): Promise<Session> => {
  const late = await open()
  await many(late, 300, (i) => late.set(pathOf(i), "changed"))
  await many(late, 300, (i) => late.delete(pathOf(i + 300)))
  await many(late, 300, (i) => late.create(`/later-${i}`, "new"))
  assert.strictEqual((await late.create("/tree/ephemeral", "", EPHEMERAL)).error, 0)
  assert.notStrictEqual(await treeDigest(0), before)
  return late
}

beforeAll(async () => {
  admin = await freeRange(3)
  servers = await Servers.start({
    settings: ["admin.rateLimiterIntervalInMS=0", "checkpoint.intervalMs=1000"],
    environment: (index) => ({ ZKMESH_ADMIN_ENABLESERVER: "true", ZKMESH_ADMIN_SERVERPORT: `${admin + index}` })
  })
  old = await open(TIMEOUT_MS, (event) => void events.push(event))
  brief = await open(SHORT_MS)
  assert.strictEqual((await old.create("/tree", "root")).error, 0)
  await many(old, ZNODES, (i) => old.create(pathOf(i), `value ${i}`))
  await many(old, 200, (i) => old.set(pathOf(i), `second value ${i}`))
  await many(old, 100, (i) => old.delete(pathOf(ZNODES - 1 - i)))
  assert.strictEqual((await old.create("/tree/owned", "mine", EPHEMERAL)).error, 0)
  assert.strictEqual((await brief.create("/brief", "", EPHEMERAL)).error, 0)
  before = await treeDigest(0)
  const taken = await fetch(url(0, "snapshot"), { headers: AUTHORIZATION })
  snapshot = Buffer.from(await taken.arrayBuffer())
  assert.strictEqual(taken.status, 200, snapshot.toString("utf8", 0, 200))
})
afterAll(() => servers?.stop())

describe("a snapshot of thousands of znodes", () => {
  it("is the tree again, to the last field of every Stat, also for a peer that was away", {
    timeout: 240_000
  }, async () => {
    const late = await disturb()
    await brief.close()
    const leader = await servers.leader()
    const away = (leader + 1) % 3
    await servers.peer(away).kill()
    await old.ready()
    const connections = old.connections
    for (const path of [pathOf(0), pathOf(1000), "/later-7"]) await old.get(path, true)
    events.length = 0

    const cut = await fetch(url(leader, "restore"), {
      method: "POST",
      headers: AUTHORIZATION,
      body: snapshot.subarray(0, snapshot.length - 5)
    })
    assert.strictEqual(cut.status, 400, await cut.text())
    assert.strictEqual((await old.exists("/later-0")).error, 0)

    const restored = await fetch(url(leader, "restore"), { method: "POST", headers: AUTHORIZATION, body: snapshot })
    assert.strictEqual(restored.status, 200, await restored.text())
    await old.sync("/")
    // The session of the snapshot that has ended since is back, and for as long as its time lasts what it owned.
    assert.strictEqual((await old.exists("/brief")).error, 0)
    assert.strictEqual((await old.exists("/later-0")).error, Err.noNode)
    assert.deepStrictEqual((await old.children("/zookeeper")).body.texts().sort(), ["config", "quota"])
    assert.strictEqual(await treeDigest(leader), before)
    // Who watches is told what has changed, and nothing else; who was there then is still there.
    assert.deepStrictEqual(
      events.map(({ type, path }) => `${type} ${path}`).sort(),
      [`${DELETED} /later-7`, `${DATA_CHANGED} ${pathOf(0)}`].sort()
    )
    assert.strictEqual(old.connections, connections)
    // Who came later is not.
    await late.ready().then(
      () => assert.fail("a session from after the snapshot goes on"),
      (error: Error) => assert.match(error.message, /expired/)
    )
    const gone = async () => ((await old.exists("/brief")).error === Err.noNode ? true : undefined)
    await eventually(gone, "the session that came back to expire", 60_000)

    await servers.startPeers(away)
    await assertSame(servers.ports)
    assert.strictEqual(await treeDigest(away), before)
    assert.deepStrictEqual(old.violations, [])
  })

  it("survives the leader's death in the middle", { timeout: 240_000 }, async () => {
    const late = await disturb()
    const leader = await servers.leader()
    const other = (leader + 1) % 3
    const owned = await ephemerals(other)
    const half = Math.floor(snapshot.length / 2)
    // The second half leaves once the first is in the log and the leader dead.
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => controller.enqueue(snapshot.subarray(0, half)),
        pull: async (controller) => {
          // Nobody may read the pieces, but they are counted.
          const pieces = async () => ((await ephemerals(other)) > owned ? true : undefined)
          await eventually(pieces, "the first pieces", 30_000)
          await servers.peer(leader).kill()
          controller.enqueue(snapshot.subarray(half))
          controller.close()
        }
      },
      { highWaterMark: 0 }
    )
    const options = { method: "POST", headers: AUTHORIZATION, body, duplex: "half" } as const
    const restored = await fetch(url(other, "restore"), options)
    assert.strictEqual(restored.status, 200, await restored.text())
    assert.strictEqual(await treeDigest(other), before)
    await servers.startPeers(leader)
    await assertSame(servers.ports)
    assert.strictEqual(await treeDigest(leader), before)
    await old.ready()
    assert.deepStrictEqual(old.violations, [])
    late.abandon()
    await old.close()
  })
})
