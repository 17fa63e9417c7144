import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join, resolve } from "node:path"
import type { SpanRecord } from "@zkmesh/messages"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { clients } from "./clients/index.ts"
import { digestOf, dump } from "./recorder/checker.ts"
import { Session } from "./recorder/session.ts"
import { temporary } from "./setup/directories.ts"
import { fourLetterWord } from "./setup/four-letter-words.ts"
import { freePorts } from "./setup/ports.ts"
import { eventually, run } from "./setup/processes.ts"
import { Ensemble, serving, zkmesh } from "./setup/zkmesh.ts"

const SHELL = resolve(import.meta.dirname, "../services/console/src/main.ts")

describe("the ensemble placement: one process, three peers, an embedded Postgres", () => {
  let ensemble: Ensemble

  beforeAll(async () => {
    ensemble = await Ensemble.start()
  })
  afterAll(() => ensemble?.stop())

  it("says who leads and where to connect", async () => {
    await ensemble.process.line(/lead/i)
    await ensemble.process.line(new RegExp(ensemble.connect))
    const modes = await serving(ensemble.ports)
    assert.deepStrictEqual(modes.toSorted(), ["follower", "follower", "leader"])
  })

  it.each(clients)("serves $name", { timeout: 200_000 }, ({ check }) => check(ensemble.connect))

  it("shows a command's way through the services, with no collector and no setting", async () => {
    const shell = ["-server", `127.0.0.1:${ensemble.ports[1]}`, "trace"]
    const written = await run({
      name: "shell",
      command: process.execPath,
      args: [SHELL, ...shell, "create", "/shown", "x"]
    })
    const steps = [
      "session create",
      "prepare",
      "propose",
      "append",
      "INSERT log",
      "acknowledge",
      "commit",
      "apply",
      "reply"
    ]
    for (const step of ["zookeeper/create ", ...steps]) assert.include(written, step)
    assert.match(written, /create \/shown: [\d.]+ ms \(session 0x[0-9a-f]+, xid \d+, zxid 0x/)
    for (const peer of [1, 2, 3]) assert.match(written, new RegExp(`^znode\\.${peer} +apply `, "m"))
    const read = await run({ name: "shell", command: process.execPath, args: [SHELL, ...shell, "get", "/shown"] })
    assert.match(read, /^znode\.2 +read /m)
    assert.notMatch(read, /propose/)
  })

  it("traces what is asked for of a path, from any of its servers, until it is told not to", async () => {
    const ask = async (line: string) => JSON.parse((await fourLetterWord(ensemble.ports[0]!, `trac ${line}\n`)) ?? "")
    const session = await Session.open({ ports: ensemble.ports.slice(2), timeoutMs: 10_000 })
    const id = `0x${session.id.toString(16)}`
    await session.create("/asked", "")
    assert.deepStrictEqual(await ask(`show ${id}`), { spans: [] })
    assert.deepInclude(await ask("path /asked 60"), { tracing: "path", of: "/asked", seconds: 60 })
    await session.create("/asked/below", "")
    await session.create("/other", "")
    const isRoot = (span: { parentId: string }) => span.parentId === ""
    const shown = await eventually(
      async () => {
        const { spans } = await ask(`show ${id}`)
        return spans.length >= 16 ? (spans as Array<SpanRecord>) : undefined
      },
      "the spans of the create",
      10_000
    )
    const roots = shown.filter((span) => isRoot(span) && span.service === "frontend")
    assert.deepStrictEqual(
      roots.map((span) => [span.instance, span.attributes["zookeeper.path"]]),
      [["frontend.3", "/asked/below"]]
    )
    assert.deepInclude(await ask("path /asked 0"), { seconds: 0 })
    await session.create("/asked/later", "")
    const { spans } = await ask(`show ${id}`)
    assert.isFalse(spans.some((span: SpanRecord) => span.attributes["zookeeper.path"] === "/asked/later"))
    assert.property(await ask("nonsense"), "error")
    await session.close()
  })

  it("stops cleanly in five seconds and has all the data at the next start", async () => {
    const before = await write(ensemble, "kept")
    const began = performance.now()
    const exit = await ensemble.process.stop(5000, "SIGINT")
    assert.isBelow(performance.now() - began, 5000)
    assert.strictEqual(exit.code, 0)
    await ensemble.start()
    assert.strictEqual(digestOf(await dump(ensemble.ports[1]!)), before)
  })

  it("has all the data after a kill -9, and peers that agree", async () => {
    const before = await write(ensemble, "crashed")
    await ensemble.process.kill()
    await ensemble.start()
    for (const port of ensemble.ports) assert.strictEqual(digestOf(await dump(port)), before)
  })

  it("refuses what it cannot do with one clear line", async () => {
    const directory = temporary("refused")
    const log = join(directory, "log")
    const data = join(directory, "data")
    const config = join(directory, "zoo.cfg")
    writeFileSync(config, "tickTime=2000\ntickTim=1\n")
    const foreign = join(directory, "foreign")
    mkdirSync(foreign)
    writeFileSync(join(foreign, "thesis.tex"), "important")
    const [taken] = await freePorts(1)
    const server = createServer().listen(taken, "127.0.0.1")
    try {
      await refusal(["start", "--data", data, "--port", `${taken}`], new RegExp(`${taken}`), log)
      await refusal(["start", "--data", data, "--config", config], /tickTim/, log)
      await refusal(["start", "--data", foreign], /foreign/, log)
      assert.isTrue(existsSync(join(foreign, "thesis.tex")))
    } finally {
      server.close()
    }
  })
})

/** Writes something, and gives the digest of everything that is there. The writer's session is closed. */
async function write(ensemble: Ensemble, name: string): Promise<string> {
  const session = await Session.open({ ports: ensemble.ports, timeoutMs: 10_000 })
  assert.strictEqual((await session.create(`/${name}`, "x")).error, 0)
  await Promise.all(Array.from({ length: 500 }, (_, i) => session.create(`/${name}/${i}`, "x".repeat(i))))
  await session.close()
  return digestOf(await dump(ensemble.ports[0]!))
}

async function refusal(args: ReadonlyArray<string>, message: RegExp, log: string): Promise<void> {
  const one = zkmesh(args.join(" "), args, log)
  const exit = await one.exited
  assert.strictEqual(exit.code, 1, one.tail())
  const said = one.lines.filter((line) => line.trim() !== "")
  assert.strictEqual(said.length, 1, one.tail())
  assert.match(said[0]!, message)
}
