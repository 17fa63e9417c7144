import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { clients } from "../clients/index.ts"
import { check, digestOf, dump } from "../recorder/checker.ts"
import { Session } from "../recorder/session.ts"
import { Workload } from "../recorder/workload.ts"
import { eventually } from "../setup/processes.ts"
import { metricsAsked, metricsServed } from "./dashboards.ts"
import { availableObservability } from "./engine.ts"
import { natsSeries, postgresSeries } from "./exporters.ts"
import { KazooLoad } from "./kazooLoad.ts"
import { type Container, Project } from "./project.ts"

/** With the images built, from the command to the first answer. ZKMESH_TEST_UP_MS is for machines that have other work. */
const UP_MS = Number(process.env["ZKMESH_TEST_UP_MS"] ?? 30_000)
const PATIENCE_MS = 60_000

describe("docker compose", () => {
  let project: Project
  let workload: Workload | undefined

  beforeAll(async () => {
    project = await Project.make()
    await project.build()
  })
  afterAll(async () => {
    await workload?.close()
    await project?.dispose()
  })

  it("serves within half a minute", async () => {
    const ms = await project.up("--scale", "frontend=2", "--scale", "frontend-replica=1")
    console.log(`served ${Math.round(ms)} ms after docker compose up`)
    assert.isBelow(ms, UP_MS)
  })

  it("runs with passwords of its own, and shows none of them", async () => {
    const told = await project.inspect()
    assert.include(told, "ZKMESH_NATS_PASSWORD_FILE")
    const passwords = project.passwords()
    assert.lengthOf(passwords, 4)
    for (const password of passwords) {
      assert.match(password, /^\w{32}$/)
      assert.notInclude(told, password)
    }
  })

  const daily = clients.filter(({ name }) => name === "kazoo" || name === "zkCli.sh")
  it.each(daily)("serves $name through haproxy", { timeout: 120_000 }, ({ check: run }) => run(project.connect))

  it("knows its clients by their own addresses, though all come through haproxy", async () => {
    const [inside] = await project.containers("session-1")
    const [haproxy] = await project.containers("haproxy")
    const told = await project.exec(
      inside!,
      "node",
      "services/console/src/main.ts",
      "--server",
      "haproxy:2181",
      "whoami"
    )
    assert.include(told, inside!.address)
    assert.notInclude(told, haproxy!.address)
    // Whoever goes to a frontend directly is believed to be who it is, and asked for no header.
    const ask = "exec 3<>/dev/tcp/frontend/2181; printf mntr >&3; cat <&3"
    assert.match((await project.exec(inside!, "bash", "-c", ask)) ?? "", /^zk_proxy_header_rejected\t0$/m)
  })

  it("scales its frontends from 2 to 4 to 1 under load, and no request fails", { timeout: 240_000 }, async () => {
    const options = { ports: [project.port], root: "/load", sessions: 4, timeoutMs: 20_000, window: 2 }
    workload = await Workload.start(options)
    const kazoo = await KazooLoad.start(project.connect, "/kazoo", 6)
    try {
      await workload.progress(10, PATIENCE_MS)
      await project.scale("frontend", 4)
      await workload.progress(20, PATIENCE_MS)
      await project.scale("frontend", 1)
      await workload.progress(20, PATIENCE_MS)
      const { answered, lost, slowestMs } = await kazoo.stop()
      console.log(`kazoo: ${answered} requests answered, ${lost} connections lost, slowest round ${slowestMs} ms`)
      assert.isAbove(answered, 0)
    } finally {
      kazoo.kill()
    }
    await project.scale("frontend", 2)
    assert.lengthOf(
      (await project.containers("frontend")).filter((one) => one.running),
      2
    )
  })

  const kinds = ["frontend", "session-1", "znode-2", "broadcast-3", "election-1", "nats-2", "postgres-3", "haproxy"]
  it.each(kinds)("goes on serving when %s is killed, and heals", { timeout: 180_000 }, async (service) => {
    const [victim] = await project.containers(service)
    const since = performance.now()
    await project.crash(victim!)
    await workload!.progress(5, PATIENCE_MS)
    const wentOn = performance.now() - since
    await project.healed(victim!, PATIENCE_MS)
    console.log(
      `${service}: every client wrote again after ${Math.round(wentOn)} ms at most, healed in ${Math.round(performance.now() - since)} ms`
    )
    await workload!.progress(5, PATIENCE_MS)
  })

  it("serves reads of a replica, which votes nowhere", async () => {
    assert.strictEqual(await project.serves(project.replicaPort), "observer")
    const session = await Session.open({ ports: [project.replicaPort], timeoutMs: 10_000 })
    await session.sync("/")
    assert.strictEqual((await session.exists("/load")).error, 0)
    await session.close()
  })

  it("serves every metric that a dashboard of Grafana's asks for", async () => {
    const [inside] = await project.containers("session-1")
    const [database] = await project.containers("postgres-1")
    const peers = ["session", "znode", "broadcast", "election"].flatMap((name) => [1, 2, 3].map((n) => `${name}-${n}`))
    const pages = await pagesFrom(project, inside!, [
      "nats-1:8222/varz",
      ...["frontend", ...peers].map((name) => `${name}:7000/metrics`)
    ])
    const served = new Set([
      ...natsSeries(pages[0]!),
      ...pages.slice(1).flatMap(metricsServed),
      ...(await postgresSeries(database!.address, project.secret("postgres-password")))
    ])
    for (const [board, names] of metricsAsked()) {
      assert.isAbove(names.size, 0)
      const unserved = [...names].filter((name) => !served.has(name))
      assert.deepStrictEqual(unserved, [], board)
    }
  })

  it("lets itself be looked into, as far as the images can be had", async () => {
    const available = await availableObservability((line) => console.log(line))
    if (available.size > 0) await project.compose("up", "-d", "--no-deps", ...available)
    if (!available.has("prometheus")) return
    const scraped = async () => {
      const response = await fetch(`http://127.0.0.1:${project.prometheusPort}/api/v1/query?query=up`).catch(
        () => undefined
      )
      if (response?.ok !== true) return undefined
      const { data } = (await response.json()) as {
        data: { result: ReadonlyArray<{ value: readonly [number, string] }> }
      }
      // 12 services of the peers, 2 frontends, a replica, haproxy.
      return data.result.filter(({ value }) => value[1] === "1").length >= 16 ? true : undefined
    }
    await eventually(scraped, "Prometheus to have scraped every container", PATIENCE_MS, 500)
  })

  it("has lost nothing that it acknowledged, and keeps it when it is taken down and up", {
    timeout: 240_000
  }, async () => {
    const history = await workload!.stop()
    assert.deepStrictEqual(check(history, await dump(project.port, "/load")), [])
    await workload!.close()
    const before = await settled(project.port)
    await project.down()
    await project.up("--scale", "frontend=1")
    assert.strictEqual(digestOf(await settled(project.port)), digestOf(before))
  })
})

const MARK = "\u0001"

/** What servers say to one who asks from inside a container, where there is no client of HTTP's; a page for each host:port/path. */
const pagesFrom = async (project: Project, container: Container, places: ReadonlyArray<string>) => {
  const asking = places.map((place) => {
    const [host, port, path] = place.split(/[:/]/)
    return `exec 3<>/dev/tcp/${host}/${port}; printf 'GET /${path} HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3; printf '${MARK}'`
  })
  const answer = await project.exec(container, "bash", "-ec", asking.join("\n"))
  if (answer === undefined) throw new Error(`one of ${places.join(", ")} is not answered`)
  const pages = answer.split(MARK).slice(0, -1)
  return pages.map((page) => page.slice(page.indexOf("\r\n\r\n") + 4))
}

/** The tree without what dies with its sessions. */
const settled = async (port: number) => {
  const tree = await dump(port, "/load")
  return new Map([...tree].filter(([path]) => !path.includes("/live-")))
}
