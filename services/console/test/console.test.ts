import { once } from "node:events"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PassThrough } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import { runConsole } from "@zkmesh/service-console"
import { afterAll, beforeAll } from "vitest"
import type { Ensemble } from "../../../libs/client/test/suite.ts"
import { startZookeeper, zookeeperInstalled } from "../../../libs/client/test/zookeeper.ts"

interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

const text = async (stream: PassThrough): Promise<string> => {
  let all = ""
  for await (const chunk of stream) all += String(chunk)
  return all
}

/** A run of the console from start to end; `input` comes from a pipe. */
const run = async (argv: ReadonlyArray<string>, input: string = ""): Promise<Outcome> => {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const [out, err] = [text(stdout), text(stderr)]
  stdin.end(input)
  const code = await runConsole(argv, { stdin, stdout, stderr }, undefined)
  stdout.end()
  stderr.end()
  return { code, out: await out, err: await err }
}

/** A terminal: what is typed, and a promise for the moment when something is on the screen. */
class Terminal {
  readonly stdin = Object.assign(new PassThrough(), { isTTY: true })
  private readonly stdout = new PassThrough()
  private screen = ""
  private read = 0
  readonly done: Promise<number>

  constructor(argv: ReadonlyArray<string>, historyFile: string | undefined) {
    this.stdout.setEncoding("utf8")
    this.stdout.on("data", (chunk: string) => {
      this.screen += chunk
    })
    this.done = runConsole(argv, { stdin: this.stdin, stdout: this.stdout, stderr: this.stdout }, historyFile)
  }

  type(keys: string): void {
    this.stdin.write(keys)
  }

  /** Waits until the screen shows the text, after what was waited for before. */
  async shows(wanted: string): Promise<void> {
    for (;;) {
      const found = this.screen.indexOf(wanted, this.read)
      if (found >= 0) {
        this.read = found + wanted.length
        return
      }
      await once(this.stdout, "data", { signal: AbortSignal.timeout(10_000) }).catch((error: unknown) => {
        throw new Error(`no ${wanted} on the screen:\n${this.screen.slice(this.read)}`, { cause: error })
      })
    }
  }
}

const consoleSuite = (): void => {
  let ensemble: Ensemble
  let server = ""
  let directory = ""
  const shell = (...command: ReadonlyArray<string>) => run(["-server", server, ...command])
  const piped = (...lines: ReadonlyArray<string>) => run(["-server", server], `${lines.join("\n")}\n`)

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "console-"))
    ensemble = await startZookeeper()
    server = ensemble.servers[0]!
  }, 120_000)
  afterAll(async () => {
    await ensemble.close()
    await rm(directory, { recursive: true })
  })

  describe("one command", () => {
    it("writes and reads", async () => {
      assert.deepStrictEqual(await shell("create", "/one", "hello world"), { code: 0, out: "", err: "Created /one\n" })
      assert.deepStrictEqual(await shell("get", "/one"), { code: 0, out: "hello world\n", err: "" })
      assert.deepStrictEqual(await shell("set", "/one", "two", "-v", "0"), { code: 0, out: "", err: "" })
      assert.deepStrictEqual(await shell("get", "-b", "/one"), { code: 0, out: "dHdv\n", err: "" })
      assert.match((await shell("stat", "/one")).out, /^cZxid = 0x[0-9a-f]+\nctime = .*\ndataVersion = 1\n/s)
      assert.deepStrictEqual(
        (await shell("get", "-x", "/one")).out.split("\n")[3],
        `|00000000| 74 77 6f${" ".repeat(39)} |two${" ".repeat(13)}|`
      )
      assert.deepStrictEqual(await shell("delete", "/one"), { code: 0, out: "", err: "" })
    })

    it("says what is wrong, and exits with 1", async () => {
      assert.deepStrictEqual(await shell("get", "/none"), { code: 1, out: "", err: "Node does not exist: /none\n" })
      assert.deepStrictEqual(await shell("stat", "/none"), { code: 1, out: "", err: "Node does not exist: /none\n" })
      assert.strictEqual((await shell("delete", "/")).err, "Arguments are not valid : /\n")
      assert.strictEqual((await shell("deleteall", "/")).err, "Arguments are not valid : /\n")
      assert.strictEqual((await shell("create", "/zookeeper")).err, "Node already exists: /zookeeper\n")
      assert.strictEqual((await shell("removewatches", "/")).err, "KeeperErrorCode = No such watcher for /\n")
      assert.strictEqual((await shell("get")).err, "get [-s] [-w] [-b] [-x] path\n")
      assert.strictEqual((await shell("get", "-q", "/")).err, "Unrecognized option: -q\nget [-s] [-w] [-b] [-x] path\n")
      assert.strictEqual((await shell("create", "-c", "-e", "/x")).code, 1)
      assert.strictEqual((await shell("setAcl", "/", "world:anyone:q")).err.split("\n")[0], "Unknown perm type: q")
    })

    it("127 for a command that does not exist, 1 for nonsense before it", async () => {
      const unknown = await shell("bogus")
      assert.deepStrictEqual(
        [unknown.code, unknown.err.trimEnd().split("\n").at(-1)],
        [127, "Command not found: bogus"]
      )
      assert.strictEqual((await run(["-nonsense"])).code, 1)
      assert.strictEqual((await run(["-server", "::nonsense::", "ls", "/"])).code, 1)
      const nobody = await run(["-server", "127.0.0.1:1", "-timeout", "300", "ls", "/"])
      assert.strictEqual(nobody.code, 1)
      assert.match(nobody.err, /no connection within 300 ms.*ECONNREFUSED/)
    })

    it("a chroot is its root", async () => {
      await shell("create", "/chroot")
      assert.strictEqual((await run(["-server", `${server}/chroot`, "create", "/in", "x"])).err, "Created /in\n")
      assert.strictEqual((await shell("ls", "-R", "/chroot")).out, "/chroot\n/chroot/in\n")
    })
  })

  describe("a pipe", () => {
    it("runs line after line, and ends as the last one did", async () => {
      const { code, out, err } = await piped(
        "create /pipe",
        "create /pipe/b 'two words'",
        'create /pipe/a ""',
        "",
        "get /pipe/b",
        "get /pipe/none",
        "get /pipe",
        "ls /pipe",
        "ls -R /pipe",
        "getAllChildrenNumber /pipe"
      )
      assert.strictEqual(out, "two words\nnull\n[a, b]\n/pipe\n/pipe/a\n/pipe/b\n2\n")
      assert.strictEqual(err, "Created /pipe\nCreated /pipe/b\nCreated /pipe/a\nNode does not exist: /pipe/none\n")
      assert.strictEqual(code, 0)
    })

    it("every mode of create, ephemerals and deleteall", async () => {
      const { code, out, err } = await piped(
        "create -e /modes-e",
        "create -es /modes-s-",
        "create -c /modes-c",
        "create -t 100000 /modes-t x",
        "create /modes-c/a",
        "create /modes-c/a/b",
        "create /modes-c/d",
        "getEphemerals /modes",
        "deleteall /modes-c -b 2",
        "ls /modes-c",
        "sync /",
        "quit",
        "never run"
      )
      assert.match(out, /^\[\/modes-e, \/modes-s-\d{10}\]\nSync is OK\n$/)
      assert.strictEqual(err.split("\n").at(-2), "Node does not exist: /modes-c")
      assert.strictEqual(code, 0)
    })

    it("watches", async () => {
      const { out } = await piped(
        "create /watched",
        "get -w /watched",
        "addWatch -m persistent /watched",
        "set /watched x",
        "sync /watched",
        "removewatches /watched -a",
        "printwatches",
        "printwatches off",
        "get -w /watched",
        "set /watched y",
        "sync /watched"
      )
      const changed =
        /\nWATCHER::\n\nWatchedEvent state:SyncConnected type:NodeDataChanged path:\/watched zxid: -?\d+\n/
      assert.match(out, changed)
      assert.match(out, /type:PersistentWatchRemoved path:\/watched zxid: -1\nprintwatches is on\nx\nSync is OK\n$/)
    })

    it("identities and ACLs", async () => {
      const { code, out } = await piped(
        "addauth digest user:password",
        "whoami",
        "create /acl x auth::cdrwa",
        "getAcl /acl",
        "create /acl/sub y auth::cdrwa",
        "setAcl -R /acl world:anyone:r",
        "getAcl /acl/sub",
        "set /acl z"
      )
      const digest = "user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY="
      assert.include(out, "Auth scheme: User\n")
      assert.include(out, "digest: user\n")
      assert.include(out, `'digest,'${digest}\n: cdrwa\n'world,'anyone\n: r\n`)
      assert.strictEqual(code, 1)
    })

    it("its own commands", async () => {
      const { out, err, code } = await piped(
        "version",
        "history",
        "redo 0",
        "redo 9",
        "close",
        "ls /",
        "connect",
        "ls /zookeeper",
        "help"
      )
      assert.match(out, /^(ZooKeeper CLI version: .*\n)0 - version\n1 - history\n\1Not connected\n\[config, quota\]\n/)
      assert.include(out, "\n\tsetAcl [-s] [-v version] [-R] path acl\n")
      assert.strictEqual(err, "Command index out of range\nredo cmdno\n")
      assert.strictEqual(code, 0)
    })
  })

  describe("a terminal", () => {
    it("prompts, completes, shows events and keeps its history", async () => {
      const historyFile = join(directory, "history")
      const terminal = new Terminal(["-server", server], historyFile)
      await terminal.shows(`Connecting to ${server}\n`)
      await terminal.shows("WatchedEvent state:SyncConnected type:None path:null")
      await terminal.shows(`[zk: ${server}(CONNECTED) 0] `)
      terminal.type("create /terminal-node old\r")
      await terminal.shows("Created /terminal-node")
      await terminal.shows(`[zk: ${server}(CONNECTED) 1] `)
      terminal.type("getEph\t")
      await terminal.shows("emerals")
      terminal.type("\r")
      await terminal.shows("[]")
      terminal.type("get -w /termi\t")
      await terminal.shows("nal-node")
      terminal.type("\r")
      await terminal.shows("old")
      await terminal.shows(`[zk: ${server}(CONNECTED) 3] `)
      terminal.type("half a li")
      assert.strictEqual((await shell("set", "/terminal-node", "new")).code, 0)
      await terminal.shows("type:NodeDataChanged path:/terminal-node")
      await terminal.shows("half a li")
      terminal.type("\x15addauth digest a:b\r")
      await terminal.shows(`[zk: ${server}(CONNECTED) 4] `)
      terminal.type("\x1b[A\x1b[A\r")
      await terminal.shows("new")
      await terminal.shows(`[zk: ${server}(CONNECTED) 5] `)
      terminal.type("quit\r")
      assert.strictEqual(await terminal.done, 0)
      assert.strictEqual(
        await readFile(historyFile, "utf8"),
        "create /terminal-node old\ngetEphemerals\nget -w /terminal-node\nget -w /terminal-node\n"
      )
      const next = new Terminal(["-server", server], historyFile)
      await next.shows(`[zk: ${server}(CONNECTED) 0] `)
      next.type("\x1b[A\r")
      await next.shows("new")
      next.type("\x03")
      assert.strictEqual(await next.done, 0)
    })
  })
}

if (zookeeperInstalled()) describe("the console at a real ZooKeeper", { timeout: 60_000 }, consoleSuite)
else describe.skip("the console at a real ZooKeeper: none is installed")
