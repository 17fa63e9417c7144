import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { reconfigurations } from "./clients/reconfigurations.ts"
import { GrowingServers, SUPER, SUPER_DIGEST } from "./setup/growing.ts"
import { ZooKeeper } from "./setup/zookeeper.ts"

describe("reconfigurations that cannot be", () => {
  let servers: GrowingServers
  let zookeeper: ZooKeeper

  beforeAll(async () => {
    ;[servers, zookeeper] = await Promise.all([
      GrowingServers.start(3, 3),
      ZooKeeper.start(3, ["reconfigEnabled=true", `DigestAuthenticationProvider.superDigest=${SUPER_DIGEST}`])
    ])
  })
  afterAll(() => Promise.all([servers?.stop(), zookeeper?.stop()]))

  it("are refused as ZooKeeper refuses them", async () => {
    const ours = await reconfigurations(servers.ports[0]!, SUPER)
    const theirs = await reconfigurations(zookeeper.ports[0]!, SUPER)
    assert.deepStrictEqual(ours, theirs)
  })
})
