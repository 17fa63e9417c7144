import { describe } from "@effect/vitest"
import { clientSuite } from "./suite.ts"
import { startZookeeper, zookeeperInstalled } from "./zookeeper.ts"

if (zookeeperInstalled()) clientSuite("against a real ZooKeeper", startZookeeper)
else describe.skip("against a real ZooKeeper: none is installed")
