/** The *ensemble* placement, all peers of which share a process, a database server and their fate. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import type { Workload } from "../recorder/workload.ts"
import { Ensemble, servingThemselves } from "../setup/zkmesh.ts"
import { history } from "./underLoad.ts"

/** Silence is noticed after five ticks of half a second. */
const STALL_MS = 4000

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe("npm start", () => {
  let ensemble: Ensemble

  beforeAll(async () => {
    ensemble = await Ensemble.start(3, ["tickTime=500", "maxSessionTimeout=40000"])
  })
  afterAll(() => ensemble?.stop())

  const FAULTS: Readonly<Record<string, (workload: Workload) => Promise<unknown>>> = {
    "kill -9 of the whole of it": async () => {
      await ensemble.process.kill()
      await ensemble.start()
    },
    "a clean stop, and a start": async () => {
      assert.strictEqual((await ensemble.process.stop(10_000, "SIGINT")).code, 0)
      await ensemble.start()
    },
    "a stall of the whole of it": async () => {
      ensemble.process.signal("SIGSTOP")
      await pause(STALL_MS)
      ensemble.process.signal("SIGCONT")
    },
    "kill -9 of its Postgres server": async (workload) => {
      ensemble.signalPostgres("SIGKILL")
      await workload.progress(10, 60_000)
    },
    "a stall of its Postgres server": async () => {
      ensemble.signalPostgres("SIGSTOP")
      await pause(STALL_MS)
      ensemble.signalPostgres("SIGCONT")
    }
  }

  it.each(Object.keys(FAULTS))("%s", async (fault) => {
    await history(ensemble.ports, `/${fault}`.replaceAll(/[^a-z/]+/gi, "-"), async (workload) => {
      await FAULTS[fault]!(workload)
      await servingThemselves(ensemble.ports)
    })
    assert.isUndefined(ensemble.process.exit)
  })
})
