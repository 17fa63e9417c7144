import type { Scenario } from "../play.ts"
import { acl, Mode, OPEN, Op, Perm, reconfigBody } from "../requests.ts"

const SYSTEM = ["/", "/zookeeper", "/zookeeper/quota"]

export const system: ReadonlyArray<Scenario> = [
  {
    name: "system-nodes",
    play: async (stage) => {
      const a = await stage.client("a")
      for (const path of SYSTEM) {
        await a.exists(path)
        await a.get(path)
        await a.children2(path)
        await a.about(Op.getACL, path)
        await a.about(Op.getAllChildrenNumber, path)
        await a.delete(path)
        await a.delete(path, 7)
        await a.create(path)
        await a.set(path, "x", 99)
      }
      await a.set("/zookeeper", "x", 0)
      await a.get("/zookeeper")
      await a.set("/zookeeper", "", 1)
      await a.create("/zookeeper/mine")
      await a.exists("/zookeeper")
      await a.about(Op.getAllChildrenNumber, "/zookeeper")
      await a.delete("/zookeeper/mine")
      await a.set("/zookeeper/quota", "x", 0)
      await a.set("/zookeeper/quota", "", 1)
      await a.create("/zookeeper/quota/mine")
      await a.exists("/zookeeper/quota")
      await a.delete("/zookeeper/quota/mine")
      await a.create("/zookeeper/config", { mode: Mode.sequential })
      await a.delete("/zookeeper/config0000000001")
      await a.delete("/zookeeper/config0000000002")
      await a.exists("/zookeeper")
      await a.setAcl("/zookeeper/quota", [acl(Perm.read, "world", "anyone")])
      await a.create("/zookeeper/quota/mine")
      await a.setAcl("/zookeeper/quota", OPEN)
    }
  },
  {
    name: "reconfig-disabled",
    play: async (stage) => {
      const a = await stage.client("a")
      await a.ask(
        "reconfig that adds",
        Op.reconfig,
        reconfigBody("server.9=127.0.0.1:1:2:participant;3", null, null, -1n)
      )
      await a.ask("reconfig that removes", Op.reconfig, reconfigBody(null, "1", null, -1n))
      await a.ask("reconfig that says nothing", Op.reconfig, reconfigBody(null, null, null, -1n))
      await a.ask("reconfig of another version", Op.reconfig, reconfigBody("", "", "", 5n))
      await a.auth("digest", "super:admin")
      await a.ask("reconfig by the super user", Op.reconfig, reconfigBody(null, "1", null, -1n))
    }
  },
  {
    name: "config",
    play: async (stage) => {
      const a = await stage.client("a")
      await a.get("/zookeeper/config", true)
      await a.exists("/zookeeper/config", true)
      await a.children("/zookeeper/config", true)
      await a.children2("/zookeeper/config")
      await a.about(Op.getACL, "/zookeeper/config")
      await a.watches(Op.checkWatches, "/zookeeper/config", 2)
      await a.set("/zookeeper/config", "x")
      await a.create("/zookeeper/config/child")
      await a.setAcl("/zookeeper/config", OPEN)
      await a.delete("/zookeeper/config")
    }
  }
]

export const containers: ReadonlyArray<Scenario> = [
  {
    name: "delete-container",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root)
      await a.create(`${root}/c`, { op: Op.createContainer, mode: Mode.container })
      await a.create(`${root}/p`)
      await a.create(`${root}/e`, { mode: Mode.ephemeral })
      for (const path of [
        ...SYSTEM,
        "/zookeeper/config",
        root,
        `${root}/missing`,
        `${root}/c`,
        `${root}/p`,
        `${root}/e`
      ]) {
        await a.deleteContainer(path)
      }
      await a.children(root)
    }
  }
]
