/**
 * Every service and everything that it stands on × every way to fail: killed, stopped as an operator stops it, standing
 * still and going on later. In the mesh, where each of them is a process of its own.
 */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import type { Workload } from "../recorder/workload.ts"
import { Frontend, Mesh, serving } from "../setup/zkmesh.ts"
import { mode } from "../setup/zookeeper.ts"
import { history } from "./underLoad.ts"

const LONG_MS = 60_000
/** Silence is noticed after five ticks of half a second. */
const STALL_MS = 4000

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

type Fault = (one: Victim, workload: Workload) => Promise<void>

/** Something that runs. */
interface Victim {
  readonly kill: () => Promise<unknown>
  readonly stop: () => Promise<unknown>
  readonly start: () => Promise<unknown>
  readonly signal: (signal: "SIGSTOP" | "SIGCONT") => void
  /** Whether clients can go on without it. */
  readonly isSpare: boolean
}

const away =
  (how: "kill" | "stop"): Fault =>
  async (victim, workload) => {
    await victim[how]()
    if (victim.isSpare) await workload.progress(10, LONG_MS)
    await victim.start()
  }

const still: Fault = async (victim) => {
  victim.signal("SIGSTOP")
  await pause(STALL_MS)
  victim.signal("SIGCONT")
}

const FAULTS: Readonly<Record<string, Fault>> = {
  "kill -9": away("kill"),
  "a clean stop": away("stop"),
  "a stall": still
}

describe("every service and every way to fail, in the mesh", () => {
  let mesh: Mesh

  beforeAll(async () => {
    mesh = await Mesh.start(2, { postgres: "per peer", settings: ["tickTime=500", "maxSessionTimeout=20000"] })
  })
  afterAll(() => mesh?.stop())

  const service = (name: string, sid: number): Victim => {
    const running = () => mesh.services.get(`${name}-${sid}`)!
    return {
      kill: () => running().kill(),
      stop: () => running().stop(),
      start: async () => mesh.launch(name, sid),
      signal: (signal) => running().signal(signal),
      isSpare: true
    }
  }
  const ofLeader = async (name: string) =>
    service(name, 1 + (await Promise.all(mesh.ground.ports.map((port) => mode(port)))).indexOf("leader"))
  const ofFollower = async (name: string) =>
    service(name, 1 + (await Promise.all(mesh.ground.ports.map((port) => mode(port)))).indexOf("follower"))

  /** A frontend that belongs to no peer. */
  const frontend = (index: number): Victim => ({
    kill: () => mesh.frontends[index]!.process.kill(),
    stop: () => mesh.frontends[index]!.process.stop(),
    start: async () => {
      mesh.frontends[index] = new Frontend(mesh.ground, `extra-${index + 1}`, mesh.frontends[index]!.port)
    },
    signal: (signal) => mesh.frontends[index]!.process.signal(signal),
    isSpare: true
  })

  const VICTIMS: Readonly<Record<string, () => Promise<Victim>>> = {
    ...Object.fromEntries(
      ["election", "broadcast", "znode", "session"].flatMap((name) => [
        [`the leader's ${name} service`, () => ofLeader(name)],
        [`a follower's ${name} service`, () => ofFollower(name)]
      ])
    ),
    "a peer's frontend": () => Promise.resolve(service("frontend", 1)),
    "a frontend of no peer": () => Promise.resolve(frontend(0)),
    "a peer's Postgres": () => Promise.resolve(bound(mesh.ground.database(0), true)),
    "the broker": () => Promise.resolve(bound(mesh.ground.nats, false))
  }

  const bound = (one: Pick<Victim, "kill" | "stop" | "start" | "signal">, isSpare: boolean): Victim => ({
    kill: () => one.kill(),
    stop: () => one.stop(),
    start: () => one.start(),
    signal: (signal) => one.signal(signal),
    isSpare
  })

  async function underLoad(root: string, fault: (workload: Workload) => Promise<void>): Promise<void> {
    await history(mesh.ports, root, async (workload) => {
      await fault(workload)
      await mesh.serving()
    })
    for (const one of mesh.services.values()) assert.isUndefined(one.exit, one.name)
  }

  const table = Object.keys(VICTIMS).flatMap((victim) => Object.keys(FAULTS).map((fault) => [fault, victim] as const))
  it.each(table)("%s of %s", (fault, victim) =>
    underLoad(`/${victim} ${fault}`.replaceAll(/[^a-z/]+/gi, "-"), async (workload) => {
      await FAULTS[fault]!(await VICTIMS[victim]!(), workload)
    })
  )

  it(
    "a rolling restart of everything",
    () =>
      underLoad("/rolling", async (workload) => {
        for (const name of ["election", "broadcast", "znode", "session", "frontend"]) {
          for (const sid of [1, 2, 3]) {
            await away("stop")(service(name, sid), workload)
            await mesh.serving()
          }
        }
        for (const index of mesh.frontends.keys()) {
          await away("stop")(frontend(index), workload)
          await serving(mesh.ports)
        }
      }),
    600_000
  )
})
