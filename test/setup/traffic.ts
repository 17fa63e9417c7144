import { ZkClient } from "@zkmesh/client"
import { CreateMode } from "@zkmesh/protocol"

const QUOTA = "/zookeeper/quota/nq"

/** Reads and writes below `/na` and `/nb`, one thing after the other, and what a quota at `/nq` refuses. */
export const traffic = async (server: string): Promise<void> => {
  const client = new ZkClient(server)
  await client.connected()
  await client.create("/na", Buffer.alloc(10))
  await client.create("/nb", Buffer.alloc(1000))
  await client.create("/na/b", Buffer.alloc(5))
  await client.create("/na/e", null, { mode: CreateMode.EPHEMERAL })
  await client.setData("/na", Buffer.alloc(20))
  await client.getData("/na")
  await client.getData("/nb")
  await client.exists("/na/b")
  await client.exists("/na/none")
  await client.getChildren("/na")
  await client.getChildren("/na/b")
  await client.getChildren("/")
  await client.getData("/na/e")
  await client.create("/nq", Buffer.alloc(4))
  await client.create(QUOTA)
  await client.create(`${QUOTA}/zookeeper_limits`, "count=-1,bytes=9=;byteHardLimit=10;countHardLimit=2")
  await client.create(`${QUOTA}/zookeeper_stats`, "count=0,bytes=0")
  await client.create("/nq/a", Buffer.alloc(6))
  const refused = [client.create("/nq/b"), client.setData("/nq/a", Buffer.alloc(7)), client.create("/nq/a/c")]
  const outcomes = await Promise.allSettled(refused)
  if (outcomes.some(({ status }) => status === "fulfilled")) throw new Error("a quota was not kept")
  await client.close()
}
