/** The same script for ZooKeeper's own shell and for ours, at the same server: what scripts parse has to be the same. */
import { spawn } from "node:child_process"
import { PassThrough } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import { runConsole } from "@zkmesh/service-console"
import { afterAll, beforeAll } from "vitest"
import type { Ensemble } from "../../../libs/client/test/suite.ts"
import { classpath, startZookeeper, zookeeperInstalled } from "../../../libs/client/test/zookeeper.ts"

interface Outcome {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

const collect = async (stream: NodeJS.ReadableStream): Promise<string> => {
  let all = ""
  for await (const chunk of stream) all += String(chunk)
  return all
}

const theirs = async (server: string, script: string): Promise<Outcome> => {
  const args = ["-cp", classpath, "org.apache.zookeeper.ZooKeeperMain", "-server", server]
  const child = spawn("java", args, { stdio: ["pipe", "pipe", "pipe"] })
  child.stdin.end(script)
  const code = new Promise<number | null>((resolve) => child.once("close", resolve))
  const [out, err] = await Promise.all([collect(child.stdout), collect(child.stderr)])
  return { code: await code, out, err }
}

const ours = async (server: string, script: string): Promise<Outcome> => {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const [out, err] = [collect(stdout), collect(stderr)]
  stdin.end(script)
  const code = await runConsole(["-server", server], { stdin, stdout, stderr }, undefined)
  stdout.end()
  stderr.end()
  return { code, out: await out, err: await err }
}

/** Zxids, times and the shells' own roots are masked; the banner and the states that ZooKeeper's alone shows are gone. */
const masked = (text: string): ReadonlyArray<string> =>
  text
    .replace(/^(Connecting to .*|Welcome to ZooKeeper!|JLine support is disabled|SLF4J: .*)$/gm, "")
    .replace(/^WatchedEvent state:\w+ type:None .*$/gm, "")
    .replace(/^([cmp]Zxid|ephemeralOwner) = 0x[1-9a-f][0-9a-f]*$/gm, "$1 = 0x#")
    .replace(/^([cm]time) = .*$/gm, "$1 = #")
    // Since 3.9 an event says which transaction fired it.
    .replace(/ zxid: -?\d+$/gm, "")
    .replaceAll(/\/(zkcli|shell)\b/g, "/root")
    .split("\n")
    .filter((line) => line !== "" && line !== "WATCHER::")

const isEvent = (line: string): boolean => line.startsWith("WatchedEvent ")
/** What commands print, and what comes from ZooKeeper's event thread whenever that gets to it. */
const results = (text: string) => masked(text).filter((line) => !isEvent(line))
const events = (text: string) => masked(text).filter(isEvent)

const SCRIPT = `
create R
create R/a one
create R/b "two words"
create R/c 'single quoted' world:anyone:cdrwa
create -s R/s- x
create -e R/e eph
create -s -e R/se- y
create -c R/k
ls R
ls -s R
ls -R R
ls -w R
ls R watch
ls R/a
get R/a
get -s R/a
get -w R/a
get R/b
get R
set R/a two
set -s R/a three
set -v 2 R/a four
get R/a watch
stat R/a
stat -w R/a
set R/a five
getAcl R
getAcl -s R
setAcl R world:anyone:cdrwa
setAcl -s R world:anyone:cdrwa
setAcl -R R world:anyone:crdwa
whoami
addauth digest u:p
whoami
create R/auth x auth::cdrwa
getAcl R/auth
getEphemerals
getEphemerals R
getEphemerals /none
getAllChildrenNumber R
sync R
addWatch R
addWatch -m PERSISTENT R/a
set R/a six
sync R
removewatches R/a
removewatches R -a
printwatches
setquota -n 5 R
listquota R
setquota -b 100 R
setquota -N 50 R
setquota -B 1000 R
listquota R
ls -R /zookeeper/quota
delquota -n R
delquota -b R
listquota R
delquota R
listquota R
delquota R
delquota /none
get /zookeeper/quota
config
config -c
history
deleteall R -b 3
ls /
`

/** What goes wrong, by the sentence on stderr. */
const WRONG = `
create R
create R
create R/none/child
create t
create R/
create R//x
create R/./x
create R/x/../y
create -c -e R/k2
create -t 0 R/ttl x
create -e -t 5 R/ttl x
create -e R/e
create R/e/child
get /none
get relative
set -v 9 R x
set /none x
stat /none
getAcl /none
setAcl -v 9 R world:anyone:r
getAllChildrenNumber /none
setquota -n 0 R
setquota -n 3 /none
setquota -n 3 /zookeeper/quota
setquota -n 3 R
setquota -n 3 R/e
listquota /none
delquota R
removewatches R
delete R
delete -v 99 R/e
delete /none
delete /zookeeper
deleteall /none
reconfig -add 1
redo 999
delete R/e
delete R
`

const comparison = (): void => {
  let ensemble: Ensemble
  let server = ""

  beforeAll(async () => {
    ensemble = await startZookeeper()
    server = ensemble.servers[0]!
  }, 120_000)
  afterAll(() => ensemble.close())

  const both = async (script: string): Promise<readonly [Outcome, Outcome]> => [
    await theirs(server, script.trimStart().replaceAll(/\bR\b/g, "/zkcli")),
    await ours(server, script.trimStart().replaceAll(/\bR\b/g, "/shell"))
  ]

  it("prints the same results, line for line", { timeout: 120_000 }, async () => {
    const [wanted, actual] = await both(SCRIPT)
    assert.deepStrictEqual(results(actual.out), results(wanted.out))
    assert.isAbove(results(wanted.out).length, 130)
    assert.deepStrictEqual(events(actual.out), events(wanted.out))
    assert.isAbove(events(wanted.out).length, 4)
    assert.strictEqual(actual.code, wanted.code)
  })

  it("says the same of what goes wrong", { timeout: 120_000 }, async () => {
    const [wanted, actual] = await both(WRONG)
    assert.deepStrictEqual(results(actual.out), results(wanted.out))
    // Ours shows the usage below a complaint, too.
    const complaints = (text: string) =>
      results(text).filter((line) => !/^(create|setquota|redo|reconfig) (\[|-|cmdno)/.test(line))
    assert.deepStrictEqual(complaints(actual.err), complaints(wanted.err))
    assert.isAbove(complaints(wanted.err).length, 25)
  })

  it("ends with the status of the last command, which quit leaves alone", { timeout: 120_000 }, async () => {
    for (const script of ["get /none\nquit\n", "get /none\nls /\n", "bogus\n"]) {
      const [wanted, actual] = await both(script)
      assert.strictEqual(actual.code, wanted.code, script)
    }
  })
}

if (zookeeperInstalled()) describe("beside ZooKeeper's own shell", comparison)
else describe.skip("beside ZooKeeper's own shell: none is installed")
