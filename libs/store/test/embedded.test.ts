import { spawn } from "node:child_process"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Scope } from "effect"
import { isAlive, isTaken } from "../src/embedded/processes.ts"
import { startEmbedded } from "../src/index.ts"
import { query } from "./server.ts"
import { refusal } from "./suite.ts"

const root = mkdtempSync(join(tmpdir(), "zkmesh-embedded-"))
chmodSync(root, 0o755)
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Another Node process that starts Postgres on `dir` and waits; resolves with the postmaster's pid and its own kill -9. */
const otherProcess = (dir: string) =>
  Effect.promise(
    () =>
      new Promise<{ pid: number; kill: () => Promise<void> }>((resolve, reject) => {
        const script = fileURLToPath(new URL("embedded-process.ts", import.meta.url))
        const child = spawn(process.execPath, [script, dir], { stdio: ["ignore", "pipe", "inherit"] })
        const ended = new Promise<void>((end) => child.once("exit", () => end()))
        child.once("error", reject)
        child.once("exit", (code) => reject(new Error(`exit code ${code}`)))
        child.stdout.once("data", (line: Buffer) =>
          resolve({
            pid: Number(line.toString()),
            kill: () => {
              child.kill("SIGKILL")
              return ended
            }
          })
        )
      })
  )

/** Whom Postgres runs as: of the processes of other accounts it takes no notice. */
const accountOf = (dir: string) => {
  const { uid, gid } = statSync(join(dir, "cluster"))
  return { uid, gid }
}

it.live("keeps its data from start to start, quickly", () =>
  Effect.gen(function* () {
    const dir = join(root, "plain")
    yield* Effect.scoped(
      Effect.gen(function* () {
        const embedded = yield* startEmbedded({ dir })
        yield* query(embedded.url("postgres"), "create table kept as select 42 as answer")
        const [row] = yield* query(embedded.url("postgres"), "show listen_addresses")
        assert.strictEqual(row?.["listen_addresses"], "")
      })
    )
    const scope = yield* Scope.make()
    const started = performance.now()
    const embedded = yield* Scope.provide(startEmbedded({ dir }), scope)
    assert.isBelow(performance.now() - started, 3000)
    const [row] = yield* query(embedded.url("postgres"), "select answer from kept")
    assert.strictEqual(row?.["answer"], 42)
    const pid = embedded.pid()!
    const stopping = performance.now()
    yield* Scope.close(scope, Exit.void)
    assert.isBelow(performance.now() - stopping, 2000)
    assert.isFalse(isAlive(pid))
    assert.isFalse(existsSync(join(dir, "owner.json")))
  })
)

it.live("refuses a directory of somebody else, and one that is in use", () =>
  Effect.gen(function* () {
    const foreign = join(root, "foreign")
    mkdirSync(foreign)
    writeFileSync(join(foreign, "precious.txt"), "")
    assert.match(yield* refusal(Effect.scoped(startEmbedded({ dir: foreign }))), /not empty and was not made by zkmesh/)
    const dir = join(root, "used")
    yield* Effect.scoped(
      Effect.gen(function* () {
        yield* startEmbedded({ dir })
        assert.match(yield* refusal(Effect.scoped(startEmbedded({ dir }))), /in use by process/)
      })
    )
  })
)

it.live("says what Postgres said when it does not start", () =>
  Effect.gen(function* () {
    const settings = { shared_buffers: "none" }
    const message = yield* refusal(Effect.scoped(startEmbedded({ dir: join(root, "bad"), settings })))
    assert.match(message, /invalid value for parameter "shared_buffers"/)
    assert.match(
      yield* refusal(Effect.scoped(startEmbedded({ dir: join(root, "none"), binDir: "/nowhere" }))),
      /nowhere/
    )
  })
)

it.live("is started again when it is killed", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const embedded = yield* startEmbedded({ dir: join(root, "killed") })
      const first = embedded.pid()!
      yield* query(embedded.url("postgres"), "create table kept as select 1 as one")
      process.kill(first, "SIGKILL")
      yield* Effect.repeat(Effect.sleep("10 millis"), {
        while: () => Effect.sync(() => embedded.pid() === undefined || embedded.pid() === first)
      })
      const [row] = yield* query(embedded.url("postgres"), "select one from kept")
      assert.strictEqual(row?.["one"], 1)
    })
  )
)

it.live("does not outlive a process that is killed, whose directory can be used at once", () =>
  Effect.gen(function* () {
    const dir = join(root, "orphan")
    const other = yield* otherProcess(dir)
    assert.isTrue(isAlive(other.pid))
    assert.match(yield* refusal(Effect.scoped(startEmbedded({ dir }))), /in use by process/)
    yield* Effect.promise(other.kill)
    yield* Effect.scoped(
      Effect.gen(function* () {
        const embedded = yield* startEmbedded({ dir })
        assert.isFalse(isAlive(other.pid))
        yield* query(embedded.url("postgres"), "select 1")
      })
    )
    const again = yield* otherProcess(dir)
    yield* Effect.promise(again.kill)
    // Nobody starts it again: the watchdog alone has to stop it.
    yield* Effect.repeat(Effect.sleep("10 millis"), { while: () => Effect.sync(() => isAlive(again.pid)) })
  })
)

it.live("starts although postmaster.pid names a process that is somebody else's by now", () =>
  Effect.gen(function* () {
    const dir = join(root, "stale")
    yield* Effect.scoped(startEmbedded({ dir }))
    const other = spawn("/bin/sleep", ["60"], { ...accountOf(dir), cwd: "/" })
    const about = `${other.pid}\n${join(dir, "cluster")}\n1\n5432\n\n\n1 1\nready\n`
    writeFileSync(join(dir, "cluster", "postmaster.pid"), about)
    yield* Effect.scoped(startEmbedded({ dir }))
    assert.isTrue(isAlive(other.pid!))
    other.kill("SIGKILL")
  })
)

it.live.skipIf(process.platform !== "linux")("starts although nobody has collected the killed postmaster yet", () =>
  Effect.gen(function* () {
    const dir = join(root, "uncollected")
    yield* Effect.scoped(startEmbedded({ dir }))
    // A shell's child that is killed after the shell has become a program that collects nobody's end.
    const parent = spawn("/bin/sh", ["-c", "sleep 60 & echo $!; exec sleep 60"], {
      ...accountOf(dir),
      cwd: "/",
      stdio: ["ignore", "pipe", "inherit"]
    })
    const pid = yield* Effect.promise(
      () => new Promise<number>((resolve) => parent.stdout.once("data", (line: Buffer) => resolve(Number(line))))
    )
    yield* Effect.repeat(Effect.sleep("10 millis"), {
      while: () => Effect.sync(() => !readFileSync(`/proc/${parent.pid}/comm`, "utf8").startsWith("sleep"))
    })
    process.kill(pid, "SIGKILL")
    assert.isTrue(isTaken(pid))
    const about = `${pid}\n${join(dir, "cluster")}\n1\n5432\n\n\n1 1\nready\n`
    writeFileSync(join(dir, "cluster", "postmaster.pid"), about)
    mkdirSync(join(dir, "run"))
    writeFileSync(join(dir, "run", ".s.PGSQL.5432.lock"), about)
    yield* Effect.scoped(startEmbedded({ dir }))
    assert.isTrue(isTaken(pid))
    parent.kill("SIGKILL")
  })
)

it.live("takes a path that is too long for a socket", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const embedded = yield* startEmbedded({ dir: join(root, "long".repeat(30)) })
      yield* query(embedded.url("postgres"), "select 1")
    })
  )
)

it.live.skipIf(process.getuid?.() !== 0)("lies elsewhere if its account cannot reach the directory", () =>
  Effect.gen(function* () {
    const secret = join(root, "secret")
    mkdirSync(secret, { mode: 0o700 })
    const options = { dir: join(secret, "pg"), sharedDir: join(root, "shared") }
    yield* Effect.scoped(
      Effect.gen(function* () {
        const embedded = yield* startEmbedded(options)
        assert.isTrue(embedded.location.startsWith(options.sharedDir))
        assert.include(readFileSync(join(options.dir, "zkmesh-postgres.json"), "utf8"), embedded.location)
        yield* query(embedded.url("postgres"), "create table kept as select 1 as one")
      })
    )
    yield* Effect.scoped(
      Effect.flatMap(startEmbedded(options), (embedded) => query(embedded.url("postgres"), "select one from kept"))
    )
    // A directory that is made anew starts anew.
    rmSync(options.dir, { recursive: true })
    yield* Effect.scoped(
      Effect.gen(function* () {
        const embedded = yield* startEmbedded(options)
        const rows = yield* query(embedded.url("postgres"), "select to_regclass('kept') as name")
        assert.isNull(rows[0]?.["name"])
      })
    )
  })
)

it.live("can be interrupted while it starts", () =>
  Effect.gen(function* () {
    const dir = join(root, "interrupted")
    const started = yield* Deferred.make<void>()
    const outcome = yield* Effect.scoped(
      Effect.andThen(Deferred.succeed(started, undefined), startEmbedded({ dir }))
    ).pipe(Effect.timeoutOption("300 millis"))
    yield* Deferred.await(started)
    assert.isTrue(outcome._tag === "None" || outcome._tag === "Some")
    yield* Effect.scoped(startEmbedded({ dir }))
  })
)
