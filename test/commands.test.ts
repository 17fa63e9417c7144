import { spawnSync } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { Session } from "./recorder/session.ts"
import { temporary } from "./setup/directories.ts"
import { freeRange } from "./setup/ports.ts"

const MAIN = resolve(import.meta.dirname, "../services/ensemble/src/main.ts")

interface Outcome {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** A command of the command line, from start to end. */
const zkmesh = (...args: ReadonlyArray<string>): Outcome => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8", timeout: 90_000 })
  return { code: status, out: stdout, err: stderr }
}

const lines = (text: string): ReadonlyArray<string> => text.split("\n").filter((line) => line !== "")

describe("an ensemble in the background", () => {
  const data = join(temporary("commands"), "data")
  const at = ["--data", data]
  const pidFile = join(data, "zkmesh.pid")
  let ports: ReadonlyArray<number> = []
  /** The zxids of what `write` did: the tree after each is known. */
  const zxids: Array<number> = []

  afterAll(() => {
    if (existsSync(pidFile)) zkmesh("stop", ...at)
  })

  const hex = (zxid: number): string => `0x${zxid.toString(16)}`
  const paths = (text: string): ReadonlyArray<string> => lines(text).map((line) => line.split("  ")[0]!)

  it("is not there at first", () => {
    const status = zkmesh("status", ...at)
    assert.strictEqual(status.code, 1)
    assert.match(status.err, /Error contacting service. It is probably not running/)
    const stop = zkmesh("stop", ...at)
    assert.deepStrictEqual([stop.code, lines(stop.out).length], [0, 2])
    assert.match(stop.out, /no zkmesh to stop/)
  })

  it("starts, says who leads, and is not started twice", async () => {
    // Five are asked for in the end.
    const base = await freeRange(5)
    ports = [base, base + 1, base + 2]
    const config = join(temporary("commands"), "zoo.cfg")
    writeFileSync(config, "tickTime=2000\nadmin.enableServer=false\n")
    const start = zkmesh("start", "--detach", ...at, "--port", `${base}`, "--config", config)
    assert.strictEqual(start.code, 0, start.err)
    assert.match(start.out, new RegExp(`STARTED process \\d+, clients connect to 127.0.0.1:${base},`))
    assert.match(readFileSync(pidFile, "utf8"), /^\d+\n$/)
    const status = zkmesh("status", ...at)
    assert.strictEqual(status.code, 0, status.err)
    assert.deepStrictEqual(
      lines(status.out)
        .filter((line) => line.startsWith("Mode: "))
        .sort(),
      ["Mode: follower", "Mode: follower", "Mode: leader"]
    )
    assert.strictEqual(zkmesh("status", "--server", `127.0.0.1:${base}`, ...at).code, 0)
    const again = zkmesh("start", "--detach", ...at)
    assert.strictEqual(again.code, 1)
    assert.match(again.err, /already running as process \d+/)
  })

  it("shows what was done in its log, whole or by session, path and zxid", async () => {
    const session = await Session.open({ ports, timeoutMs: 10_000 })
    for (const reply of [
      await session.create("/app", "one"),
      await session.create("/app/a", "x"),
      await session.create("/other", "y"),
      await session.set("/app", "two"),
      await session.create("/app/e", "mine", 1),
      await session.delete("/app/a")
    ]) {
      assert.strictEqual(reply.error, 0)
      zxids.push(reply.zxid)
    }
    assert.strictEqual((await session.create("/none/x", "")).error, -101)
    const id = `0x${session.id.toString(16)}`
    await session.close()
    const all = zkmesh("log", ...at)
    assert.strictEqual(all.code, 0, all.err)
    const own = zkmesh("log", ...at, "--session", id)
    assert.deepStrictEqual(
      lines(own.out).map((line) => line.replace(/^\S+Z session \S+ cxid \S+ zxid \S+ /, "")),
      [
        "createSession timeout 10000 ms, at peer 1",
        "create /app 3 bytes, 1 ACL entries",
        "create /app/a 1 bytes, 1 ACL entries",
        "create /other 1 bytes, 1 ACL entries",
        "setData /app 3 bytes, version 1",
        "create /app/e 4 bytes, 1 ACL entries, ephemeral",
        "delete /app/a",
        "failed NONODE",
        "closeSession deletes /app/e"
      ]
    )
    assert.isAtLeast(lines(all.out).length, lines(own.out).length)
    const below = zkmesh("log", ...at, "--path", "/app/a", "--id", "2")
    assert.deepStrictEqual(
      lines(below.out).map((line) => line.split(" ")[7]),
      ["create", "delete"]
    )
    const range = zkmesh("log", ...at, "--from", hex(zxids[1]!), "--to", hex(zxids[3]!))
    assert.deepStrictEqual(
      lines(range.out).map((line) => line.split(" ")[6]),
      zxids.slice(1, 4).map(hex)
    )
    assert.match(zkmesh("log", ...at, "--from", "yesterday").err, /--from: expected a zxid/)
  })

  it("shows the tree as it was at any zxid, by the log behind the checkpoint and by the checkpoint", () => {
    for (const [after, wanted] of [
      [2, ["/app", "/app/a"]],
      [4, ["/app", "/app/a", "/app/e"]]
    ] as const) {
      const tree = zkmesh("tree", ...at, "--at", hex(zxids[after]!), "/app")
      assert.strictEqual(tree.code, 0, tree.err)
      assert.deepStrictEqual(paths(tree.out), wanted, `after ${after}`)
    }
    assert.match(
      zkmesh("tree", ...at, "--at", hex(zxids[2]!), "/app").out,
      /^\/app {2}persistent {2}version 0 .*"one"$/m
    )
    const now = zkmesh("tree", ...at)
    assert.deepStrictEqual(
      paths(now.out).filter((path) => !path.startsWith("/zookeeper")),
      ["/", "/app", "/other"]
    )
    assert.match(now.out, /^\/app {2}persistent {2}version 1 {2}3 bytes {2}mzxid 0x[0-9a-f]+ {2}"two"$/m)
    const late = zkmesh("tree", ...at, "--at", hex(zxids[5]! + 1000))
    assert.deepStrictEqual([late.code, /--at: the last transaction is 0x/.test(late.err)], [1, true])
  })

  it("restarts with its data, stops, and can be looked into when it is stopped", async () => {
    const before = readFileSync(pidFile, "utf8")
    const restart = zkmesh("restart", ...at)
    assert.strictEqual(restart.code, 0, restart.err)
    assert.notStrictEqual(readFileSync(pidFile, "utf8"), before)
    const session = await Session.open({ ports, timeoutMs: 10_000 })
    assert.strictEqual((await session.exists("/other")).error, 0)
    await session.close()
    const stop = zkmesh("stop", ...at)
    assert.deepStrictEqual([stop.code, lines(stop.out).at(-1)], [0, "STOPPED"])
    assert.isFalse(existsSync(pidFile))
    assert.strictEqual(zkmesh("status", ...at).code, 1)
    assert.deepStrictEqual(paths(zkmesh("tree", ...at, "--at", hex(zxids[1]!), "/app").out), ["/app", "/app/a"])
  })

  it("that cannot start says why, and leaves no process", () => {
    const start = zkmesh("start", "--detach", ...at, "--peers", "5", "--port", `${ports[0]}`)
    assert.strictEqual(start.code, 1)
    assert.match(start.err, /holds the data of 3 voting peers[\s\S]*FAILED TO START/)
    assert.match(zkmesh("status", ...at).err, /process \d+ has ended/)
  })
})
