import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ZkClient } from "@zkmesh/client"
import type { Ensemble } from "./suite.ts"

/** Where Debian's package has it; another place is told by ZOOKEEPER_CLASSPATH. */
export const classpath = process.env["ZOOKEEPER_CLASSPATH"] ?? "/usr/share/java/zookeeper.jar"

/** False on a machine without ZooKeeper: its tests are skipped there. In CI that is a failure. */
export const zookeeperInstalled = (): boolean => {
  const found = process.env["ZOOKEEPER_CLASSPATH"] !== undefined || existsSync(classpath)
  if (!found && process.env["CI"] !== undefined) throw new Error("CI needs a real ZooKeeper to test the client against")
  return found
}

export const freePort = async (): Promise<number> => {
  const server = net.createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, "close")
  return port
}

/** A stand-alone ZooKeeper of its own directory and port, which can be killed and started again. */
export const startZookeeper = async (): Promise<Ensemble> => {
  const directory = await mkdtemp(join(tmpdir(), "zookeeper-"))
  const port = await freePort()
  const config = join(directory, "zoo.cfg")
  await writeFile(
    config,
    [
      "tickTime=500",
      `dataDir=${join(directory, "data")}`,
      `clientPort=${port}`,
      "clientPortAddress=127.0.0.1",
      "admin.enableServer=false",
      "4lw.commands.whitelist=*"
    ].join("\n")
  )
  const server = `127.0.0.1:${port}`
  let child: ChildProcess | undefined

  const start = async (): Promise<void> => {
    const options = ["-Xmx256m", "-Dzookeeper.extendedTypesEnabled=true", "-Dzookeeper.jmx.log4j.disable=true"]
    const main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
    child = spawn("java", [...options, "-cp", classpath, main, config], { stdio: "ignore" })
    const client = new ZkClient(server)
    await client.connected(60_000)
    await client.close()
  }
  const kill = async (): Promise<void> => {
    if (child === undefined) return
    const exited = once(child, "exit")
    child.kill("SIGKILL")
    await exited
    child = undefined
  }
  await start()
  return {
    servers: [server],
    // Debian's is 3.8.
    watchModes: false,
    ttl: true,
    restart: async () => {
      await kill()
      await start()
    },
    close: async () => {
      await kill()
      await rm(directory, { recursive: true })
    }
  }
}
