/** Our shell and ZooKeeper's own, at the same zkmesh: every form of every command prints the same. */
import { spawn } from "node:child_process"
import { PassThrough } from "node:stream"
import { runConsole } from "@zkmesh/service-console"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { newerClassPath } from "./conformance/targets.ts"
import { SUPER, SUPER_DIGEST } from "./setup/growing.ts"
import { Ensemble } from "./setup/zkmesh.ts"
import { everyForm, mistakes } from "./shell/scripts.ts"

/** Maven brings the shell of 3.9 to whoever asks for it, `npm run test:conformance`; Debian's is of 3.8. */
const ASKS_NEWER = process.env["ZKMESH_ZOOKEEPER_NEWER"] === "yes"
/** Which ZooKeeper's own package leaves to whoever wants its shell. */
const COMMONS_CLI = "/usr/share/java/commons-cli.jar"
const DEBIANS = "/etc/zookeeper/conf:/usr/share/java/zookeeper.jar"

interface Outcome {
  readonly code: number | null
  readonly out: ReadonlyArray<string>
  readonly err: ReadonlyArray<string>
}

const collect = async (stream: NodeJS.ReadableStream): Promise<string> => {
  let all = ""
  for await (const chunk of stream) all += String(chunk)
  return all
}

/** Without the banner, the states that ZooKeeper's alone shows, its stack traces, and what differs from run to run. */
const masked = (text: string): ReadonlyArray<string> =>
  text
    .replace(/^(Connecting to .*|Welcome to ZooKeeper!|JLine support is disabled|SLF4J.*|WATCHER::)$/gm, "")
    .replace(/^(\d{4}-\d\d-\d\d .*|\tat .*|\t\.\.\. \d+ more)$/gm, "")
    .replace(/^WatchedEvent state:\w+ type:None .*$/gm, "")
    .replace(/^([cmp]Zxid|ephemeralOwner) = 0x[1-9a-f][0-9a-f]*$/gm, "$1 = 0x#")
    .replace(/^([cm]time) = .*$/gm, "$1 = #")
    .replace(/^(ZooKeeper CLI version:) .*$/gm, "$1 #")
    .replace(/ zxid: -?\d+$/gm, "")
    .replace(/^version=[0-9a-f]+$/gm, "version=#")
    // Of a configuration that was changed meanwhile; ZooKeeper's shell names the servers in the order of its hash table.
    .replace(/^(version|mZxid) = .*$/gm, "$1 = #")
    .replace(/^[0-9a-f]+ (127\.0\.0\.1:\d+.*)$/gm, (_, servers: string) => `# ${servers.split(",").sort().join()}`)
    .replaceAll(/\/(zkcli|shell)-\d+\b/g, "/root")
    .split("\n")
    .filter((line) => line !== "")

const theirs = async (classPath: string, server: string, script: string): Promise<Outcome> => {
  const args = ["-Xmx128m", "-cp", classPath, "org.apache.zookeeper.ZooKeeperMain", "-server", server]
  const child = spawn("/usr/bin/java", args, { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, TZ: "UTC" } })
  child.stdin.end(script)
  const code = new Promise<number | null>((resolve) => child.once("close", resolve))
  const [out, err] = await Promise.all([collect(child.stdout), collect(child.stderr)])
  return { code: await code, out: masked(out), err: masked(err) }
}

const ours = async (server: string, script: string): Promise<Outcome> => {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const [out, err] = [collect(stdout), collect(stderr)]
  stdin.end(script)
  const code = await runConsole(["-server", server], { stdin, stdout, stderr }, undefined)
  stdout.end()
  stderr.end()
  return { code, out: masked(await out), err: masked(await err) }
}

/** Ours shows the usage below a complaint, too, and with an unknown command what it is called. */
const complaints = (lines: ReadonlyArray<string>) =>
  results(lines).filter(
    (line) => !/^( -\w |ZooKeeper -server|\t\w|Command not found|\w+ [[<-]|\w+ (path|scheme|cmdno))/.test(line)
  )

const isEvent = (line: string): boolean => line.startsWith("WatchedEvent ")
const results = (lines: ReadonlyArray<string>) => lines.filter((line) => !isEvent(line))
/** Of watches that one command removes ZooKeeper's client tells in the order of a hash table, which differs from run to run. */
const events = (lines: ReadonlyArray<string>): ReadonlyArray<string> => {
  const told = lines.filter(isEvent)
  const isRemoval = (line: string | undefined) => line !== undefined && /type:\w+WatchRemoved /.test(line)
  for (let from = 0, to = 0; from < told.length; from = to) {
    to = from + 1
    if (!isRemoval(told[from])) continue
    while (isRemoval(told[to]) && pathOf(told[to]!) === pathOf(told[from]!)) to++
    told.splice(from, to - from, ...told.slice(from, to).sort())
  }
  return told
}
const pathOf = (event: string): string => event.slice(event.indexOf(" path:"))

describe("our shell beside ZooKeeper's own", () => {
  let ensemble: Ensemble
  let scripts = 1

  beforeAll(async () => {
    ensemble = await Ensemble.start(3, [
      "reconfigEnabled=true",
      "extendedTypesEnabled=true",
      `DigestAuthenticationProvider.superDigest=${SUPER_DIGEST}`
    ])
  })
  afterAll(() => ensemble?.stop())

  const releases = [
    { release: "3.8", classPath: async () => DEBIANS },
    ...(ASKS_NEWER ? [{ release: "3.9", classPath: async () => `${await newerClassPath()}:${COMMONS_CLI}` }] : [])
  ] as const

  describe.each(releases)("of $release", ({ release, classPath }) => {
    const both = async (script: string) => {
      const server = ensemble.connect.split(",")[0]!
      const here = (root: string) =>
        script.trimStart().replace(/\n+/g, "\n").replaceAll("@", root).replaceAll("SUPER", SUPER)
      const number = scripts++
      const wanted = await theirs(await classPath(), server, here(`/zkcli-${number}`))
      return [wanted, await ours(server, here(`/shell-${number}`))] as const
    }

    it("prints the same results for every form of every command", { timeout: 120_000 }, async () => {
      const [wanted, actual] = await both(everyForm(release))
      assert.deepStrictEqual(results(actual.out), results(wanted.out))
      assert.deepStrictEqual(results(actual.err), results(wanted.err))
      assert.deepStrictEqual(events(actual.out), events(wanted.out))
      assert.strictEqual(actual.code, wanted.code)
    })

    it("says the same of mistakes, and when it is closed and connected again", { timeout: 120_000 }, async () => {
      const [wanted, actual] = await both(mistakes)
      assert.deepStrictEqual(complaints(actual.err), complaints(wanted.err))
      assert.deepStrictEqual(results(actual.out), results(wanted.out))
    })
  })
})
