import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { tools } from "../setup/packages.ts"

export interface CliOutput {
  /** What the commands printed, in order, both streams. */
  readonly lines: ReadonlyArray<string>
  /** `type path` of every watch that fired. */
  readonly events: ReadonlyArray<string>
}

/** Types the commands into zkCli.sh, each once the one before has been answered as far as the script can tell. */
export function zkCli(connect: string, commands: ReadonlyArray<string>, timeoutMs = 60_000): Promise<CliOutput> {
  return new Promise((resolve, reject) => {
    const child = spawn("/bin/sh", ["-c", `exec ${tools.zkCli.path} -server ${connect} 2>&1`], {
      stdio: ["pipe", "pipe", "ignore"],
      env: { ...process.env, TZ: "UTC" }
    })
    let text = ""
    const timer = setTimeout(() => {
      child.kill("SIGKILL")
      reject(new Error(`zkCli.sh did not end in ${timeoutMs} ms:\n${text}`))
    }, timeoutMs)
    child.stdout.setEncoding("utf8")
    child.stdout.on("data", (chunk: string) => (text += chunk))
    child.once("error", reject)
    child.once("close", () => {
      clearTimeout(timer)
      resolve(parse(text))
    })
    child.stdin.end(`${commands.join("\n")}\nquit\n`)
  })
}

function parse(text: string): CliOutput {
  const events: Array<string> = []
  const lines = text
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => {
      const event = /^WatchedEvent state:SyncConnected type:(Node\w+) path:(\S+)/.exec(line)
      if (event !== null) events.push(`${event[1]} ${event[2]}`)
      return line !== "" && !/^(WATCHER::|WatchedEvent|SLF4J|Connecting to|Welcome to|JLine)/.test(line)
    })
  return { lines, events }
}

/** The eleven lines of a stat, as a table. */
function stat(lines: ReadonlyArray<string>): Record<string, string> {
  return Object.fromEntries(lines.map((line) => line.split(" = ") as [string, string]))
}

/** A user's daily work in zkCli.sh, with everything that it prints. */
export async function checkZkCli(connect: string): Promise<void> {
  const root = `/cli-${process.pid}-${Date.now()}`
  const { events, lines } = await zkCli(connect, [
    `create ${root} one`,
    `create -e ${root}/e mine`,
    `create -s ${root}/s- first`,
    `create -s -e ${root}/es- second`,
    `create ${root}/c`,
    `ls ${root}`,
    `ls -R ${root}`,
    `get ${root}`,
    `set ${root} two`,
    `set -v 0 ${root} late`,
    `get -s ${root}`,
    `stat ${root}/e`,
    `stat ${root}/none`,
    `get ${root}/none`,
    `create ${root}`,
    `create ${root}/none/child`,
    `create ${root}/e/child`,
    `delete ${root}`,
    `get -w ${root}`,
    `set ${root} three`,
    `ls -w ${root}`,
    `create ${root}/w`,
    `stat -w ${root}/later`,
    `create ${root}/later`,
    `delete -v 7 ${root}/later`,
    `delete ${root}/later`,
    `sync ${root}`,
    `ls -s ${root}/w`,
    `deleteall ${root}`,
    `stat ${root}`
  ])
  const left = [...lines]
  const expectLine = (wanted: string) => assert.equal(left.shift(), wanted)
  const expectStat = (wanted: Record<string, string>) => {
    const actual = stat(left.splice(0, 11))
    const names = "cZxid ctime mZxid mtime pZxid cversion dataVersion aclVersion ephemeralOwner dataLength numChildren"
    assert.deepEqual(Object.keys(actual), names.split(" "))
    for (const [name, value] of Object.entries(wanted)) assert.equal(actual[name], value, name)
    return actual
  }
  expectLine(`Created ${root}`)
  expectLine(`Created ${root}/e`)
  expectLine(`Created ${root}/s-0000000001`)
  expectLine(`Created ${root}/es-0000000002`)
  expectLine(`Created ${root}/c`)
  expectLine("[c, e, es-0000000002, s-0000000001]")
  for (const name of ["", "/c", "/e", "/es-0000000002", "/s-0000000001"]) expectLine(`${root}${name}`)
  expectLine("one")
  expectLine(`version No is not valid : ${root}`)
  expectLine("two")
  const changed = expectStat({
    cversion: "4",
    dataVersion: "1",
    aclVersion: "0",
    ephemeralOwner: "0x0",
    dataLength: "3"
  })
  assert.notEqual(changed["cZxid"], changed["mZxid"])
  assert.match(changed["mtime"]!, /^\w{3} \w{3} \d\d \d\d:\d\d:\d\d UTC \d{4}$/)
  const own = expectStat({ cversion: "0", dataVersion: "0", dataLength: "4", numChildren: "0" })
  assert.match(own["ephemeralOwner"]!, /^0x[0-9a-f]{2,}$/)
  assert.equal(own["cZxid"], own["pZxid"])
  expectLine(`Node does not exist: ${root}/none`)
  expectLine(`Node does not exist: ${root}/none`)
  expectLine(`Node already exists: ${root}`)
  expectLine(`Node does not exist: ${root}/none/child`)
  expectLine(`Ephemerals cannot have children: ${root}/e/child`)
  expectLine(`Node not empty: ${root}`)
  expectLine("two")
  expectLine("[c, e, es-0000000002, s-0000000001]")
  expectLine(`Created ${root}/w`)
  expectLine(`Node does not exist: ${root}/later`)
  expectLine(`Created ${root}/later`)
  expectLine(`version No is not valid : ${root}/later`)
  expectLine("Sync is OK")
  expectLine("[]")
  expectStat({ numChildren: "0" })
  expectLine(`Node does not exist: ${root}`)
  assert.deepEqual(left, [])
  assert.deepEqual(events, [`NodeDataChanged ${root}`, `NodeChildrenChanged ${root}`, `NodeCreated ${root}/later`])
}
