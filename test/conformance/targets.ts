/** The servers that are compared, configured alike. */
import { existsSync, renameSync, rmSync } from "node:fs"
import { join, resolve } from "node:path"
import { run } from "../setup/processes.ts"
import { Ensemble, Mesh, Servers } from "../setup/zkmesh.ts"
import { ZooKeeper } from "../setup/zookeeper.ts"

const TICK_MS = 1000
/** `super:admin` */
const SUPER_DIGEST = "super:xQJmxLMiHGwaqBvst5y6rkB6HQs="
const SWEEP_MS = 500

const SETTINGS = [
  "extendedTypesEnabled=true",
  "enforceQuota=true",
  `DigestAuthenticationProvider.superDigest=${SUPER_DIGEST}`
]

/** Debian's has no `classPath`. A quorum of one: it answers as every server of an ensemble does, and needs one JVM. */
export const startZooKeeper = (classPath?: string): Promise<ZooKeeper> =>
  ZooKeeper.start(1, SETTINGS, {
    ...(classPath === undefined ? {} : { classPath }),
    tickTimeMs: TICK_MS,
    quorumOfOne: true,
    jvm: [`-Dznode.container.checkIntervalMs=${SWEEP_MS}`]
  })

const OURS = [...SETTINGS, `tickTime=${TICK_MS}`, `znode.container.checkIntervalMs=${SWEEP_MS}`]

/** Every way in which zkmesh's parts are placed, and who is asked for it: the script is long, and a mesh 15 processes. */
export const placements = [
  { placement: "ensemble", isLong: false, start: () => Ensemble.start(3, OURS) },
  { placement: "server", isLong: false, start: () => Servers.start({ settings: OURS }) },
  { placement: "mesh", isLong: true, start: () => Mesh.start(0, { settings: OURS }) }
] as const

const POM = join(import.meta.dirname, "newer", "pom.xml")
const JARS = resolve(import.meta.dirname, "../../node_modules/.cache/zookeeper-3.9.5")

/** Where the jars of ZooKeeper 3.9.5 are; Maven brings them, once. */
export const newerClassPath = async (): Promise<string> => {
  if (!existsSync(JARS)) {
    // Whole, or not there at all: another run may look at the same time.
    const incoming = `${JARS}.${process.pid}`
    const goal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
    const args = ["-q", "-B", "-f", POM, goal, `-DoutputDirectory=${incoming}`]
    await run({ name: "mvn", command: "/usr/bin/mvn", args, timeoutMs: 240_000 })
    if (existsSync(JARS)) rmSync(incoming, { recursive: true })
    else renameSync(incoming, JARS)
  }
  // Debian's configuration beside them: without one the logging library would warn of it.
  return `/etc/zookeeper/conf:${JARS}/*`
}
