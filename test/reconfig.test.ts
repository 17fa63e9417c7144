import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { zkCli } from "./clients/zkcli.ts"
import { digestOf, dump } from "./recorder/checker.ts"
import { ConnectionLost, dataOf, Session } from "./recorder/session.ts"
import { GrowingServers, SUPER } from "./setup/growing.ts"
import { tools } from "./setup/packages.ts"
import { freePorts, isOpen } from "./setup/ports.ts"
import { eventually, run } from "./setup/processes.ts"
import { connectString } from "./setup/zkmesh.ts"
import { mode } from "./setup/zookeeper.ts"

/** Creates a znode after another, at one server after another if it must. */
class Writer {
  readonly acknowledged: Array<string> = []
  /** It is not known what became of these. */
  lost = 0
  readonly errors: Array<unknown> = []
  private readonly session: Session
  private isRunning = true
  private readonly done: Promise<void>

  constructor(session: Session) {
    this.session = session
    this.done = this.write()
  }

  private async write(): Promise<void> {
    for (let i = 0; this.isRunning; i++) {
      const path = `/load/${i}`
      try {
        await this.session.ready()
        const { error } = await this.session.create(path, "x")
        if (error === 0) this.acknowledged.push(path)
        else this.errors.push(error)
      } catch (error) {
        if (error instanceof ConnectionLost) this.lost++
        else {
          this.errors.push(error)
          return
        }
      }
    }
  }

  /** Resolves once it has got on from here. */
  async progress(): Promise<void> {
    const mark = this.acknowledged.length
    await eventually(
      async () => (this.acknowledged.length > mark + 20 ? true : undefined),
      "the writer to go on",
      30_000
    )
  }

  async stop(): Promise<void> {
    this.isRunning = false
    await this.done
  }
}

const kazoo = (connect: string, joining: string, leaving: string, members = "-"): Promise<string> =>
  run({
    name: "kazoo's reconfig",
    command: tools.python.path,
    args: [join(import.meta.dirname, "clients/kazoo_reconfig.py"), connect, SUPER, joining, leaving, members],
    env: { PYTHONDONTWRITEBYTECODE: "1" },
    timeoutMs: 60_000
  })

describe("an ensemble that is reconfigured while it serves", () => {
  let servers: GrowingServers
  let writer: Writer
  let session: Session
  /** By a frontend that was started before anything changed. */
  let guest: Session

  beforeAll(async () => {
    servers = await GrowingServers.start(3, 5)
    session = await Session.open({ ports: servers.ports, timeoutMs: 20_000 })
    assert.strictEqual((await session.create("/load", "")).error, 0)
    writer = new Writer(session)
    guest = await Session.open({ ports: [await servers.startFrontend()], timeoutMs: 20_000 })
  })
  afterAll(async () => {
    session?.abandon()
    guest?.abandon()
    await servers?.stop()
  })

  /** `/zookeeper/config` as the peer shows it, once it is this one. */
  const shows = async (sid: number, text: string): Promise<void> => {
    const reader = await Session.open({ ports: [servers.ports[sid - 1]!], timeoutMs: 10_000 })
    try {
      await eventually(
        async () =>
          dataOf(await reader.get("/zookeeper/config")).data.startsWith(`${text}\nversion=`) ? true : undefined,
        `peer ${sid} to show ${text}`,
        20_000
      )
    } finally {
      await reader.close()
    }
  }

  it("has the configuration of its file, under the version of its first epoch", async () => {
    const { data, stat } = dataOf(await session.get("/zookeeper/config"))
    assert.strictEqual(data, `${servers.lines(1, 2, 3)}\nversion=100000000`)
    assert.strictEqual(stat.version, -1)
  })

  it("grows from three voters to five by zkCli.sh", async () => {
    await servers.startPeers(4, 5)
    assert.deepStrictEqual(await Promise.all([4, 5].map((sid) => servers.mode(sid))), ["observer", "observer"])
    const { lines } = await zkCli(servers.connect, [
      `reconfig -add ${servers.line(4)}`,
      `addauth digest ${SUPER}`,
      "reconfig -remove 2,3 -add server.8=h8:1:2;3,server.9=h9:1:2;3",
      `reconfig -add ${servers.line(4)},${servers.line(5)}`,
      "config"
    ])
    const text = servers.lines(1, 2, 3, 4, 5)
    const said = lines.join("\n")
    assert.match(said, /Insufficient permission/)
    assert.match(said, /No quorum of new config is connected and up-to-date/)
    assert.include(said, `Committed new configuration:\n${text}\nversion=`)
    await Promise.all([4, 5].map((sid) => servers.becomes(sid, "follower")))
    await Promise.all([1, 2, 3, 4, 5].map((sid) => shows(sid, text)))
    await writer.progress()
  })

  it("shrinks to three by kazoo, the leader among those who leave", async () => {
    const leader = await servers.leader([1, 2, 3, 4, 5])
    const other = [1, 2, 3].find((sid) => sid !== leader)!
    const left = [1, 2, 3, 4, 5].filter((sid) => sid !== leader && sid !== other)
    // One of them is away and hears nothing of it.
    await servers.peer(other).kill()
    const changed = await kazoo(servers.connect, "-", `${leader},${other}`)
    assert.include(changed, `${servers.lines(...left)}\nversion=`)
    const next = await servers.leader(left)
    await writer.progress()
    // Its broadcast tells of itself once a second.
    const uptime = await eventually(
      async () => (await servers.monitor(next)).get("zk_leader_uptime"),
      "the leader to tell since when it leads",
      20_000
    )
    // Those who have left go on as observers until somebody stops them, and disturb nobody when they come back.
    await servers.startPeers(other)
    await Promise.all([leader, other].map((sid) => servers.becomes(sid, "observer")))
    await Promise.all([1, 2, 3, 4, 5].map((sid) => shows(sid, servers.lines(...left))))
    assert.strictEqual(await servers.mode(next), "leader")
    assert.isAbove(Number((await servers.monitor(next)).get("zk_leader_uptime")), Number(uptime))
    await Promise.all([leader, other].map((sid) => servers.peer(sid).stop()))
    await writer.progress()
    // Each with what its operator wrote when it was new: what was agreed on since is stronger.
    const [first] = left
    await servers.peer(first!).kill()
    await writer.progress()
    // Of the three that it was told of when it started, none may be left.
    await guest.ready()
    assert.strictEqual((await guest.sync("/load")).error, 0)
    await servers.startPeers(first!, leader, other)
    await Promise.all([leader, other].map((sid) => servers.becomes(sid, "observer")))
    assert.include(["leader", "follower"], await servers.mode(first!))
    await shows(first!, servers.lines(...left))
    await shows(leader, servers.lines(...left))
  })

  it("takes one back as an observer, and a whole new membership", async () => {
    const modes = await Promise.all([1, 2, 3, 4, 5].map((sid) => servers.mode(sid)))
    const voters = [1, 2, 3, 4, 5].filter((sid) => modes[sid - 1] !== "observer")
    const [back, away] = [1, 2, 3, 4, 5].filter((sid) => modes[sid - 1] === "observer") as [number, number]
    const members = [...voters.map((sid) => servers.line(sid)), servers.line(back, "observer")]
    const changed = await kazoo(servers.connect, "-", "-", members.join(","))
    assert.include(changed, `${members.toSorted().join("\n")}\nversion=`)
    // A voter and an observer change places.
    const leader = await servers.leader(voters)
    const down = voters.find((sid) => sid !== leader)!
    await kazoo(servers.connect, `${servers.line(down, "observer")},${servers.line(away)}`, "-")
    await Promise.all([servers.becomes(down, "observer"), servers.becomes(away, "follower")])
    await writer.progress()
  })

  it("moves a server's client port with its line, and back, under whoever is connected", async () => {
    const sid = await servers.leader([1, 2, 3, 4, 5])
    const from = servers.ports[sid - 1]!
    const [to] = await freePorts(1)
    const others = connectString(servers.ports.filter((port) => port !== from))
    const resident = await Session.open({ ports: [from], timeoutMs: 20_000 })
    const moved = servers.line(sid).replace(`;127.0.0.1:${from}`, `;127.0.0.1:${to}`)
    assert.include(await kazoo(others, moved, "-"), moved)
    await eventually(async () => ((await isOpen(to!)) ? true : undefined), "the new port", 20_000)
    assert.strictEqual(await mode(to!), "leader")
    assert.isFalse(await isOpen(from))
    assert.strictEqual((await resident.sync("/load")).error, 0)
    await kazoo(others, servers.line(sid), "-")
    await eventually(async () => ((await isOpen(from)) ? true : undefined), "the old port", 20_000)
    assert.strictEqual((await resident.sync("/load")).error, 0)
    assert.deepStrictEqual(resident.violations, [])
    await resident.close()
    await writer.progress()
  })

  it("has lost nothing, and told nobody of anything but connections", async () => {
    await writer.stop()
    assert.deepStrictEqual(writer.errors, [])
    assert.deepStrictEqual([...session.violations, ...guest.violations], [])
    await session.ready()
    assert.strictEqual((await session.sync("/load")).error, 0)
    const names = new Set((await session.children("/load")).body.texts())
    const missing = writer.acknowledged.filter((path) => !names.has(path.slice("/load/".length)))
    assert.deepStrictEqual(missing, [])
    assert.isAtMost(names.size - writer.acknowledged.length, writer.lost)
    // Whoever votes and whoever only observes has the same tree, down to every stat.
    const trees = await Promise.all(servers.ports.map((port) => dump(port)))
    assert.strictEqual(new Set(trees.map(digestOf)).size, 1)
  })
})
