import { freePorts } from "../setup/ports.ts"
import { Frontend, Mesh, Servers } from "../setup/zkmesh.ts"
import { mode, ZooKeeper } from "../setup/zookeeper.ts"
import { PATIENCE_MS, type Target } from "./killLeaders.ts"

export interface Running extends Target {
  readonly stop: () => Promise<void>
}

export const targets = ["server", "mesh", "zookeeper"] as const
export type TargetName = (typeof targets)[number]

export const start = (name: TargetName): Promise<Running> =>
  name === "server" ? serverPlacement() : name === "mesh" ? meshPlacement() : zookeeper()

/** A process per peer, and in front of them frontends of their own. */
async function serverPlacement(): Promise<Running> {
  const servers = await Servers.start()
  const doors = (await freePorts(3)).map((port, i) => new Frontend(servers.ground, `door-${i}`, port))
  await Promise.all(doors.map((door) => door.serving()))
  return {
    ports: doors.map((door) => door.port),
    killLeader: async () => {
      const leader = await servers.leader()
      await servers.peer(leader).kill()
      return () => servers.startPeers(leader)
    },
    stop: async () => {
      await Promise.all(doors.map((door) => door.process.kill()))
      await servers.stop()
    }
  }
}

const SERVICES = ["election", "broadcast", "znode", "session"]

/** A process per service; clients connect to frontends that belong to nobody. A leader dies with all of its services. */
async function meshPlacement(): Promise<Running> {
  const mesh = await Mesh.start(3)
  return {
    ports: mesh.frontends.map((door) => door.port),
    killLeader: async () => {
      const modes = await Promise.all(mesh.ground.ports.map(mode))
      const leader = 1 + modes.indexOf("leader")
      await Promise.all(SERVICES.map((service) => mesh.services.get(`${service}-${leader}`)!.kill()))
      return async () => {
        for (const service of SERVICES) mesh.launch(service, leader)
        await mesh.serving()
      }
    },
    stop: () => mesh.stop()
  }
}

async function zookeeper(): Promise<Running> {
  const ensemble = await ZooKeeper.start(3)
  return {
    ports: ensemble.ports,
    killLeader: async () => {
      const leader = await ensemble.leader()
      await ensemble.server(leader).kill()
      return async () => {
        ensemble.startServer(leader)
        await ensemble.serving(PATIENCE_MS)
      }
    },
    stop: () => ensemble.stop()
  }
}
