/** Rows that are not what was written, and a disk without room: the peer says so, stays out of it, and comes back. */
import { execFileSync } from "node:child_process"
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { digestOf, dump } from "../recorder/checker.ts"
import { Session } from "../recorder/session.ts"
import { monitor } from "../setup/four-letter-words.ts"
import { eventually } from "../setup/processes.ts"
import { databaseOf, Mesh, Servers } from "../setup/zkmesh.ts"
import { mode } from "../setup/zookeeper.ts"
import { underLoad } from "./underLoad.ts"

interface Damage {
  readonly what: string
  readonly sql: string
  /** What the peer's log says of it. */
  readonly named: RegExp
}

const AFTER_CHECKPOINT =
  "SELECT last_zxid FROM log_batch, checkpoint WHERE last_zxid > zxid ORDER BY last_zxid OFFSET 3"
const SOME_ZNODE = "SELECT path FROM znodes WHERE path LIKE '/damage%' ORDER BY path DESC LIMIT 1"

const DAMAGES: ReadonlyArray<Damage> = [
  {
    what: "a byte of the log's last row has changed",
    sql: `UPDATE log_batch SET bytes = set_byte(bytes, 60, get_byte(bytes, 60) # 1)
          WHERE last_zxid = (SELECT max(last_zxid) FROM log_batch)`,
    named: /log_batch row \d+ \(0x[0-9a-f]+ to 0x[0-9a-f]+\) is corrupt: its checksum is wrong/
  },
  {
    what: "a byte of a row that is to be replayed has changed",
    sql: `UPDATE log_batch SET bytes = set_byte(bytes, 60, get_byte(bytes, 60) # 1)
          WHERE last_zxid = (${AFTER_CHECKPOINT} LIMIT 1)`,
    named: /log_batch row \d+ \(0x[0-9a-f]+ to 0x[0-9a-f]+\) is corrupt: its checksum is wrong/
  },
  {
    what: "a row of the log has gone",
    sql: `DELETE FROM log_batch WHERE last_zxid = (${AFTER_CHECKPOINT} LIMIT 1)`,
    named: /is corrupt: log_batch row \d+ .* does not follow/
  },
  {
    what: "a znode of the checkpoint has changed",
    sql: `UPDATE znodes SET version = version + 1 WHERE path = (${SOME_ZNODE})`,
    named: /znodes row \/damage\S* is corrupt: its checksum is wrong/
  },
  {
    what: "a znode of the checkpoint has gone",
    sql: `DELETE FROM znodes WHERE path = (${SOME_ZNODE})`,
    named: /checkpoint row 0x[0-9a-f]+ is corrupt: it is of \d+ znodes, but the table has \d+/
  },
  {
    what: "a session of the checkpoint has gone",
    sql: "DELETE FROM sessions WHERE id = (SELECT max(id) FROM sessions)",
    named: /checkpoint row 0x[0-9a-f]+ is corrupt: it is of \d+ sessions, but the table has \d+/
  }
]

describe("bad disks, with a Postgres server for each peer", () => {
  let servers: Servers

  beforeAll(async () => {
    servers = await Servers.start({
      postgres: "per peer",
      settings: ["tickTime=500", "maxSessionTimeout=20000", "checkpoint.intervalMs=1500"]
    })
  })
  afterAll(() => servers?.stop())

  const query = (index: number, sql: string) => servers.ground.database(index).query(databaseOf(index + 1), sql)
  const logOf = (index: number) => readFileSync(servers.ground.log(`peer-${index + 1}`), "utf8")
  /** The count of rows that `sql` would show. */
  const count = async (index: number, sql: string) =>
    Number((await query(index, `SELECT count(*) AS count FROM (${sql}) AS found`))[0]?.["count"])

  /** Kills a peer that has both a checkpoint and a log after it; a checkpoint may come in the last moment. */
  async function killWithBoth(index: number): Promise<void> {
    const needed = `${AFTER_CHECKPOINT} LIMIT 1`
    const hasBoth = async () =>
      (await count(index, SOME_ZNODE)) === 1 && (await count(index, needed)) === 1 ? true : undefined
    for (;;) {
      await eventually(hasBoth, "a checkpoint, and a log after it", 20_000, 20)
      await servers.peer(index).kill()
      if ((await hasBoth()) === true) return
      await servers.startPeers(index)
    }
  }

  for (const [nth, { what, sql, named }] of DAMAGES.entries()) {
    it(`${what}: the row is named, and the peer is rebuilt from the others`, () =>
      underLoad(servers, servers.ports, `/damage-${nth}`, async (workload) => {
        const follower = ((await servers.leader()) + 1) % 3
        await killWithBoth(follower)
        const said = logOf(follower).length
        const before = await count(follower, "SELECT FROM pg_namespace WHERE nspname LIKE 'set_aside_%'")
        await query(follower, sql)
        await workload.progress(30)
        servers.launch(follower)
        await eventually(
          async () => named.test(logOf(follower).slice(said)) || undefined,
          "the row to be named",
          30_000
        )
        await servers.serving(follower)
        const votes = async () =>
          (await query(follower, "SELECT rebuilding FROM epochs"))[0]?.["rebuilding"] === false &&
          (await monitor(servers.ports[follower]!)).get("zk_server_state") === "follower"
            ? true
            : undefined
        await eventually(votes, "the peer to vote again", 30_000)
        assert.match(logOf(follower).slice(said), /It is kept as schema set_aside_\d+ of database peer\d/)
        const after = await count(follower, "SELECT FROM pg_namespace WHERE nspname LIKE 'set_aside_%'")
        assert.strictEqual(after, before + 1)
      }))
  }

  it.runIf(process.getuid?.() === 0)(
    "a full disk: the peer steps down and says so, and comes back when there is room",
    () =>
      underLoad(servers, servers.ports, "/full", async (workload) => {
        const leader = await servers.leader()
        const postgres = servers.ground.database(leader)
        await servers.peer(leader).stop()
        const unmount = await onSmallDisk(postgres)
        try {
          await servers.startPeers(leader)
          const room = join(postgres.data, "room")
          fill(room)
          const isNamed = () => /its disk is full: .*No space left on device/.test(logOf(leader)) || undefined
          await eventually(async () => isNamed(), "the full disk to be named", 60_000)
          await workload.progress(30, 60_000)
          assert.notStrictEqual(await servers.leader(), leader)
          rmSync(room)
          await servers.serving(leader)
          await workload.progress(30)
        } finally {
          await servers.peer(leader).stop()
          await unmount()
          await servers.startPeers(leader)
        }
      })
  )
})

describe("bad disks, with a process for each service", () => {
  it("the znode service finds a corrupt checkpoint: the whole peer is rebuilt from the others", {
    timeout: 150_000
  }, async () => {
    const mesh = await Mesh.start(0, { postgres: "per peer", settings: ["tickTime=500", "checkpoint.intervalMs=500"] })
    try {
      const session = await Session.open({ ports: mesh.ports, timeoutMs: 20_000 })
      const modes = await Promise.all(mesh.ground.ports.map((port) => mode(port)))
      const index = (modes.indexOf("leader") + 1) % 3
      const query = (sql: string) => mesh.ground.database(index).query(databaseOf(index + 1), sql)
      await session.create("/mesh", "before")
      const isStored = async () => (await query("SELECT FROM znodes WHERE path = '/mesh'")).length === 1 || undefined
      await eventually(isStored, "a checkpoint", 20_000)
      await mesh.services.get(`znode-${index + 1}`)!.kill()
      await query("UPDATE znodes SET version = 7 WHERE path = '/mesh'")
      mesh.launch("znode", index + 1)
      const named = /znodes row \/mesh is corrupt: its checksum is wrong.* It is kept as schema set_aside_/
      const log = () => readFileSync(mesh.ground.log(`znode-${index + 1}`), "utf8")
      await eventually(async () => named.test(log()) || undefined, "the row to be named", 30_000)
      const isWhole = async () => {
        const [epochs] = await query("SELECT rebuilding FROM epochs")
        const [row] = await query("SELECT version FROM znodes WHERE path = '/mesh'")
        return (epochs?.["rebuilding"] === false && row?.["version"] === 0) || undefined
      }
      await eventually(isWhole, "the peer to have it again, and its vote", 60_000)
      await mesh.serving()
      await session.create("/mesh/after", "")
      await session.close()
      const trees = await Promise.all(mesh.ground.ports.map((port) => dump(port, "/")))
      assert.strictEqual(new Set(trees.map(digestOf)).size, 1, "all peers hold the same tree")
    } finally {
      await mesh.stop()
    }
  })
})

type Cluster = { readonly data: string; stop(): Promise<void>; start(): Promise<void> }

/** Room for the log of what a test writes, beyond what is there. */
const SPARE_MIB = 64

/** Moves a cluster to a small file system of its own; what it returns moves it back. */
async function onSmallDisk(postgres: Cluster): Promise<() => Promise<void>> {
  const { data } = postgres
  const elsewhere = `${data}.elsewhere`
  await postgres.stop()
  const size = Number(execFileSync("du", ["-sm", data], { encoding: "utf8" }).split("\t")[0]) + SPARE_MIB
  renameSync(data, elsewhere)
  mkdirSync(data)
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}m`, "tmpfs", data])
  execFileSync("cp", ["-a", `${elsewhere}/.`, data])
  await postgres.start()
  return async () => {
    await postgres.stop()
    rmSync(elsewhere, { recursive: true })
    execFileSync("cp", ["-a", data, elsewhere])
    execFileSync("umount", [data])
    rmSync(data, { recursive: true })
    renameSync(elsewhere, data)
    await postgres.start()
  }
}

/** Writes until there is no room. */
function fill(path: string): void {
  for (const size of [2 ** 20, 2 ** 12]) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(size, 1), { flag: "a" })
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error
    }
  }
}
