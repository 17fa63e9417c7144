import { readdirSync } from "node:fs"
import { join } from "node:path"
import { temporary } from "../setup/directories.ts"
import { tools } from "../setup/packages.ts"
import { type Running, run, start } from "../setup/processes.ts"

const sources = join(import.meta.dirname, "java")

/** Debian's jars: the stock client, Curator, and what they load. */
const libraries = [
  "zookeeper",
  "zookeeper-jute",
  "curator-recipes",
  "curator-framework",
  "curator-client",
  "guava",
  "slf4j-api",
  "slf4j-nop",
  "jackson-databind",
  "jackson-core",
  "jackson-annotations"
].map((name) => `/usr/share/java/${name}.jar`)

let compiled: Promise<string> | undefined

/** ZooKeeper's own Java client and Curator's recipes; `checks` are all there are if none are named. */
export async function javaClient(connect: string, ...checks: ReadonlyArray<string>): Promise<void> {
  compiled ??= compile()
  await java("the Java client", [await compiled, ...libraries], "Main", [connect, ...checks])
}

async function compile(): Promise<string> {
  const classes = temporary("java-client")
  const files = readdirSync(sources).map((name) => join(sources, name))
  const all = ["-17", "-proc:none", "-nowarn", "-d", classes, "-classpath", libraries.join(":"), ...files]
  await java("the Java compiler", [tools.javaCompiler.path], "org.eclipse.jdt.internal.compiler.batch.Main", all)
  return classes
}

// The list of all that twenty kills' worth of writers have created is larger than the 1 MiB that the client takes by default.
const options = (path: ReadonlyArray<string>, main: string, args: ReadonlyArray<string>) => ({
  command: tools.java.path,
  args: ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-Djute.maxbuffer=67108864", "-cp", path.join(":"), main, ...args]
})

const java = (name: string, path: ReadonlyArray<string>, main: string, args: ReadonlyArray<string>) =>
  run({ name, ...options(path, main, args), timeoutMs: 150_000 })

/** Curator's persistent watcher below `root`, until the znode `end` is there: see Watching.java for what it says then. */
export async function curatorWatching(connect: string, root: string, end: string): Promise<Running> {
  compiled ??= compile()
  const running = start({
    name: "Curator's watcher",
    ...options([await compiled, ...libraries], "Watching", [connect, root, end])
  })
  await running.line(/^watching/, 60_000)
  return running
}
