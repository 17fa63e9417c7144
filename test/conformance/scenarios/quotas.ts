import type { Client } from "../client.ts"
import type { Scenario } from "../play.ts"
import { createBody, Mode, OPEN, Op, part, pathAndNumber, setDataBody } from "../requests.ts"

const QUOTA = "/zookeeper/quota"

/** As the command setquota does it. */
const limit = async (client: Client, path: string, limits: string, stats = "count=0,bytes=0"): Promise<void> => {
  const parts = path.split("/").slice(1)
  for (const [i] of parts.entries()) await client.create(`${QUOTA}/${parts.slice(0, i + 1).join("/")}`)
  await client.create(`${QUOTA}${path}/zookeeper_limits`, { data: limits })
  await client.create(`${QUOTA}${path}/zookeeper_stats`, { data: stats })
}
const usage = (client: Client, path: string) => client.get(`${QUOTA}${path}/zookeeper_stats`)

export const quotas: ReadonlyArray<Scenario> = [
  {
    name: "quota-usage",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root, { data: "12345" })
      await a.create(`${root}/a`, { data: "123" })
      await limit(a, root, "count=-1,bytes=-1", "count=77,bytes=77")
      await usage(a, root)
      await a.get(`${QUOTA}${root}/zookeeper_stats`, true)
      await a.create(`${root}/b`, { data: "1234567" })
      await usage(a, root)
      await a.set(`${root}/b`, "1")
      await usage(a, root)
      await a.set(`${root}/b`, null)
      await a.set(root, "1")
      await usage(a, root)
      await a.create(`${root}/a/deep`, { data: "12" })
      await a.delete(`${root}/b`)
      await usage(a, root)
      await a.create(`${root}/e`, { mode: Mode.ephemeral, data: "1" })
      await a.create(`${root}/s-`, { mode: Mode.sequential, data: "1" })
      await a.create(`${root}/c`, { op: Op.createContainer, mode: Mode.container, data: "1" })
      await a.create(`${root}/n`, { data: null })
      await usage(a, root)
      await a.multi("creates and deletes", [
        part(Op.create, createBody(`${root}/m`, "123", OPEN, 0)),
        part(Op.setData, setDataBody(`${root}/m`, "12345", -1)),
        part(Op.delete, pathAndNumber(`${root}/n`, -1))
      ])
      await usage(a, root)
      await a.delete(`${QUOTA}${root}/zookeeper_limits`)
      await a.create(`${root}/uncounted`, { data: "123" })
      await usage(a, root)
      await a.create(`${QUOTA}${root}/zookeeper_limits`, { data: "count=5,bytes=5" })
      await usage(a, root)
      await a.create(`${root}/counted`, { data: "123" })
      await usage(a, root)
      await a.delete(`${QUOTA}${root}/zookeeper_stats`)
      await a.create(`${root}/nowhere-to-count`, { data: "123" })
      await a.create(`${QUOTA}${root}/zookeeper_stats`, { data: "x" })
      await usage(a, root)
      await a.set(`${QUOTA}${root}/zookeeper_stats`, "count=1,bytes=1")
      await a.create(`${root}/more`, { data: "123" })
      await usage(a, root)
    }
  },
  {
    name: "quota-nested",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root)
      await a.create(`${root}/inner`)
      await limit(a, root, "count=100,bytes=100")
      await limit(a, `${root}/inner`, "count=100,bytes=100")
      await a.create(`${root}/inner/x`, { data: "123" })
      await usage(a, root)
      await usage(a, `${root}/inner`)
      await a.create(`${root}/beside`, { data: "1" })
      await a.create(`${root}beside`, { data: "1" })
      await usage(a, root)
      await usage(a, `${root}/inner`)
      await limit(a, `${root}/absent`, "count=1,bytes=1")
      await usage(a, `${root}/absent`)
      await a.create(`${root}/absent`, { data: "12" })
      await usage(a, `${root}/absent`)
      await a.create(`${QUOTA}/zookeeper_limits`, { data: "count=1,bytes=1" })
      await a.create(`${QUOTA}/zookeeper_stats`, { data: "count=1,bytes=1" })
      await a.create(`${root}/after`, { data: "12" })
      await a.get(`${QUOTA}/zookeeper_stats`)
      await a.delete(`${QUOTA}/zookeeper_stats`)
      await a.delete(`${QUOTA}/zookeeper_limits`)
    }
  },
  {
    name: "quota-soft",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root)
      await limit(a, root, "count=2,bytes=5")
      for (const name of ["a", "b", "c"]) await a.create(`${root}/${name}`, { data: "1234" })
      await a.set(`${root}/a`, "123456")
      await usage(a, root)
    }
  },
  {
    name: "quota-hard",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root, { data: "12" })
      await limit(a, root, "count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=3")
      await a.get(`${QUOTA}${root}/zookeeper_limits`)
      await a.create(`${root}/a`, { data: "123456789" })
      await a.create(`${root}/a`, { data: "12345678" })
      await a.create(`${root}/b`, { data: "1" })
      await a.create(`${root}/b`, { data: "" })
      await a.create(`${root}/c`, { data: "" })
      await a.create(`${root}/c`, { data: "", mode: Mode.ephemeral })
      await a.create(`${root}/c-`, { data: "", mode: Mode.sequential })
      await a.create(`${root}/a`, { data: "" })
      await a.set(`${root}/b`, "1")
      await a.set(`${root}/b`, "1", 77)
      await a.set(`${root}/a`, "1234567", 77)
      await a.set(`${root}/a`, "1234567")
      await a.set(`${root}/b`, "1")
      await a.set(`${root}/b`, "12")
      await a.set(`${root}/missing`, "12")
      await a.multi("beyond it", [
        part(Op.setData, setDataBody(`${root}/b`, "", -1)),
        part(Op.setData, setDataBody(`${root}/a`, "123456789", -1))
      ])
      await a.multi("a part that is beyond it by itself", [
        part(Op.delete, pathAndNumber(`${root}/b`, -1)),
        part(Op.create, createBody(`${root}/d`, "", OPEN, 0))
      ])
      await usage(a, root)
      await a.delete(`${root}/b`)
      await a.create(`${root}/d`)
      await a.set(`${QUOTA}${root}/zookeeper_limits`, "count=-1,bytes=-1=;byteHardLimit=1;countHardLimit=1")
      await a.create(`${root}/e`)
      await a.set(`${root}/a`, "123456")
      await a.set(`${root}/a`, "")
      await a.set(`${root}/a`, null)
      await a.delete(`${root}/d`)
      await usage(a, root)
    }
  },
  {
    name: "quota-texts",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      const texts = [
        "count=1,bytes=-1",
        "count=-1;bytes=1",
        "countHardLimit=1",
        "byteHardLimit=0",
        "count=1,bytes=1=;byteHardLimit=-1;countHardLimit=2",
        "count=,bytes=",
        ""
      ]
      await a.create(root)
      for (const [i, text] of texts.entries()) {
        const path = `${root}/${i}`
        await a.create(path)
        await limit(a, path, text)
        await a.create(`${path}/x`, { data: "1" })
        await a.create(`${path}/y`, { data: "12" })
        await usage(a, path)
      }
    }
  }
]
