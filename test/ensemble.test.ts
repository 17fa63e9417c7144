import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { clients } from "./clients/index.ts"
import { digestOf, dump } from "./recorder/checker.ts"
import { Session } from "./recorder/session.ts"
import { temporary } from "./setup/directories.ts"
import { freePorts } from "./setup/ports.ts"
import { Ensemble, serving, zkmesh } from "./setup/zkmesh.ts"

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
