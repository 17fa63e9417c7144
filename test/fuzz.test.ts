import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { Authority } from "../services/frontend/test/authority.ts"
import { fuzz, type Totals } from "./fuzz/run.ts"
import { Witness } from "./fuzz/witness.ts"
import { Session } from "./recorder/session.ts"
import { temporary } from "./setup/directories.ts"
import { monitor } from "./setup/four-letter-words.ts"
import { eventually, type Running } from "./setup/processes.ts"
import { Ensemble, Mesh, Servers } from "./setup/zkmesh.ts"

/** The same seed sends the same bytes, connection by connection. */
const seed = Number(process.env["ZKMESH_FUZZ_SEED"] ?? Date.now() % 2 ** 32)
const seconds = Number(process.env["ZKMESH_FUZZ_SECONDS"] ?? 4)
const isLong = process.env["ZKMESH_TEST_LONG"] === "yes"
/** Sessions of those that break off end soon, however long a timeout they ask for. */
const settings = (): ReadonlyArray<string> => {
  const directory = temporary("fuzz")
  const jaas = join(directory, "jaas.conf")
  const login = "org.apache.zookeeper.server.auth.DigestLoginModule"
  writeFileSync(jaas, `Server { ${login} required user_user="secret"; };\n`)
  const authority = Authority.make(directory, "authority")
  const { cert, key } = authority.issue("server", "/CN=localhost")
  const pem = join(directory, "server.pem")
  writeFileSync(pem, cert + key)
  return [
    ...["tickTime=500", "maxSessionTimeout=4000", "extendedTypesEnabled=true", `jaasLoginConfig=${jaas}`],
    ...["client.portUnification=true", `ssl.keyStore.location=${pem}`, "ssl.clientAuth=none"],
    "reconfigEnabled=true"
  ]
}
/** What a process may hold on to: buffers that are kept for the next time, a young heap that has not been collected. */
const MAX_GROWTH_MB = 400

const processes = (running: Running): ReadonlyArray<number> => {
  const children = readdirSync(`/proc/${running.pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${running.pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number)
  )
  return [running.pid, ...children]
}

/** The process that runs our code: itself, or the child of the wrapper that started it. */
const nodeOf = (running: Running): number =>
  processes(running).find((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("main.ts")) ?? running.pid

const megabytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024
const sockets = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length

interface Victim {
  readonly ports: ReadonlyArray<number>
  readonly processes: ReadonlyArray<Running>
}

/** Fuzzes every port beside a witness at each, then demands that nothing is left of it. */
async function survives({ ports, processes: all }: Victim): Promise<void> {
  const setup = await Session.open({ ports, timeoutMs: 10_000 })
  assert.strictEqual((await setup.create("/fuzz", "")).error, 0)
  await setup.close()
  const witnesses = await Promise.all(ports.map((port, i) => Witness.start(port, `/witness-${i}`)))
  // What a server allocates once, it has allocated after this.
  const attacked = (own: number, attackers: number, forSeconds: number): Promise<Totals> =>
    fuzz({ ports, seed: own, seconds: forSeconds, attackers, takesTls: true }).catch((error: unknown) => {
      throw new Error(`seed ${own}: ${String(error)}\n${all.map((one) => one.tail(10)).join("\n")}`)
    })
  await attacked(seed + 1, 4, seconds / 5)
  await Promise.all(ports.map((port) => quiet(port, ports.length)))
  const sizes = all.map((one) => ({ fds: sockets(nodeOf(one)), rss: megabytes(nodeOf(one)) }))
  const totals = await attacked(seed, 6, seconds)
  const mb = (totals.bytes / 1e6).toFixed(1)
  console.log(
    `fuzz: seed ${seed}: ${totals.connections} connections, ${totals.sessions} sessions, ${totals.secure} by TLS, ${totals.frames} frames, ${mb} MB`
  )
  for (const one of all) {
    assert.isUndefined(one.exit, `${one.name} ended:\n${one.tail()}`)
    const failures = one.lines.filter((line) => /built again|Invariant|TypeError|RangeError|AssertionError/.test(line))
    assert.deepStrictEqual(failures, [], one.name)
  }
  await Promise.all(ports.map((port) => quiet(port, ports.length)))
  for (const [i, one] of all.entries()) {
    const was = sizes[i]!
    const fds = () => Promise.resolve(sockets(nodeOf(one)) <= was.fds + 2 ? true : undefined)
    await eventually(fds, `${one.name} to have no more than ${was.fds} descriptors`, 10_000, 100)
    const grown = megabytes(nodeOf(one)) - was.rss
    console.log(`fuzz: ${one.name}: ${was.rss.toFixed(0)} MB, ${grown >= 0 ? "+" : ""}${grown.toFixed(0)}`)
    assert.isBelow(grown, MAX_GROWTH_MB, `${one.name} has grown by so many MB`)
  }
  for (const witness of witnesses) {
    assert.deepStrictEqual(await witness.stop(), [])
    console.log(
      `fuzz: a witness did ${witness.operations} operations, the slowest seven took ${witness.slowestMs | 0} ms`
    )
    assert.isAbove(witness.operations, 100)
  }
}

const COUNTS = ["zk_num_alive_connections", "zk_global_sessions", "zk_watch_count", "zk_ephemerals_count"]

/** Resolves once a peer has nothing to care for but the witnesses: every session of an attacker has expired. */
async function quiet(port: number, witnesses: number): Promise<void> {
  let counts: ReadonlyArray<number> = []
  const probe = async () => {
    const table = await monitor(port)
    counts = COUNTS.map((name) => Number(table.get(name)))
    const [connections, sessions, watches, ephemerals] = counts
    // A connection is the word's own; a witness's watch stands from its read to its write.
    const isQuiet = connections! <= 2 && sessions === witnesses && watches! <= 1 && ephemerals === witnesses
    return isQuiet ? true : undefined
  }
  try {
    await eventually(probe, "a quiet peer", 20_000, 100)
  } catch (error) {
    throw new Error(`the peer at ${port} keeps ${COUNTS.map((name, i) => `${name} ${counts[i]}`)}`, { cause: error })
  }
}

describe("mutated and random frames at the client port", () => {
  it("harm nobody in the ensemble placement", { timeout: 120_000 + seconds * 2000 }, async () => {
    const ensemble = await Ensemble.start(3, settings())
    try {
      await survives({ ports: ensemble.ports, processes: [ensemble.process] })
    } finally {
      await ensemble.stop()
    }
  })

  it("harm nobody in the server placement", { timeout: 120_000 + seconds * 2000 }, async () => {
    const servers = await Servers.start({ settings: settings() })
    try {
      await survives({ ports: servers.ports, processes: servers.ports.map((_, i) => servers.peer(i)) })
    } finally {
      await servers.stop()
    }
  })

  it.runIf(isLong)("harm nobody in the mesh placement", { timeout: 120_000 + seconds * 2000 }, async () => {
    const mesh = await Mesh.start(0, { settings: settings() })
    try {
      await survives({ ports: mesh.ports, processes: [...mesh.services.values()] })
    } finally {
      await mesh.stop()
    }
  })
})
