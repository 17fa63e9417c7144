import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"

interface Tool {
  /** What shows that it is there. */
  readonly path: string
  readonly packages: ReadonlyArray<string>
}

/** What the end-to-end tests use of Debian 12: the real clients, the real ZooKeeper, the real broker. */
export const tools = {
  zookeeper: { path: "/usr/share/java/zookeeper.jar", packages: ["zookeeper", "default-jre-headless"] },
  // Brings the newer ZooKeeper, which Debian does not have.
  maven: { path: "/usr/bin/mvn", packages: ["maven"] },
  java: { path: "/usr/bin/java", packages: ["default-jre-headless"] },
  keytool: { path: "/usr/bin/keytool", packages: ["default-jre-headless"] },
  curator: {
    path: "/usr/share/java/curator-recipes.jar",
    packages: ["libcurator-recipes-java", "libcurator-framework-java", "libcurator-client-java"]
  },
  // A compiler of 6 MB, most of which ZooKeeper's package brings anyway, instead of a JDK of 70.
  javaCompiler: { path: "/usr/share/java/eclipse-jdt-core.jar", packages: ["libeclipse-jdt-core-java"] },
  zkCli: { path: "/usr/share/zookeeper/bin/zkCli.sh", packages: ["zookeeper"] },
  kazoo: { path: "/usr/lib/python3/dist-packages/kazoo/client.py", packages: ["python3-kazoo"] },
  puresasl: { path: "/usr/lib/python3/dist-packages/puresasl/client.py", packages: ["python3-pure-sasl"] },
  netty: { path: "/usr/share/java/netty-codec.jar", packages: ["libnetty-java"] },
  openssl: { path: "/usr/bin/openssl", packages: ["openssl"] },
  python: { path: "/usr/bin/python3", packages: ["python3"] },
  libzookeeper: { path: "/usr/include/zookeeper/zookeeper.h", packages: ["libzookeeper-mt-dev"] },
  gcc: { path: "/usr/bin/gcc", packages: ["gcc", "libc6-dev"] },
  postgresExporter: { path: "/usr/bin/prometheus-postgres-exporter", packages: ["prometheus-postgres-exporter"] },
  nats: { path: "/usr/sbin/nats-server", packages: ["nats-server"] }
} satisfies Record<string, Tool>

/** Installs what is missing, or says in one line what to install. */
export function ensureTools(names: ReadonlyArray<keyof typeof tools>, say: (line: string) => void): void {
  const missing = [...new Set(names.filter((name) => !existsSync(tools[name].path)).flatMap((n) => tools[n].packages))]
  if (missing.length === 0) return
  const command = `apt-get install -y --no-install-recommends ${missing.join(" ")}`
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) {
    throw new Error(`The end-to-end tests use Debian packages that are not installed. Run: sudo ${command}`)
  }
  say(`Installing what the end-to-end tests use: ${missing.join(" ")}`)
  apt(["update"])
  apt(command.split(" ").slice(1))
  const absent = names.filter((name) => !existsSync(tools[name].path))
  if (absent.length > 0) throw new Error(`apt-get installed ${missing.join(" ")}, but ${absent.join(" ")} is not there`)
}

function apt(args: ReadonlyArray<string>): void {
  const result = spawnSync("apt-get", args, {
    encoding: "utf8",
    timeout: 600_000,
    // A package's own server must not start: the tests start theirs, on ports of their own.
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" }
  })
  if (result.status !== 0) {
    throw new Error(`apt-get ${args.join(" ")} failed:\n${result.stdout}\n${result.stderr}`)
  }
}
