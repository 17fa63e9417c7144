/** `db.autocreate=false`: a server whose database is gone is not believed when it says that nothing has ever happened. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Session } from "./recorder/session.ts"
import { temporary } from "./setup/directories.ts"
import { eventually } from "./setup/processes.ts"
import { databaseOf, Servers } from "./setup/zkmesh.ts"

describe("a server whose database is empty", () => {
  let servers: Servers
  const directory = temporary("data")
  const markerOf = (index: number) => join(directory, `${index + 1}`, "initialize")

  beforeAll(async () => {
    for (const index of [0, 1, 2]) {
      mkdirSync(join(directory, `${index + 1}`))
      writeFileSync(markerOf(index), "")
    }
    servers = await Servers.start({
      settings: ["db.autocreate=false"],
      environment: (index) => ({ ZKMESH_DATADIR: join(directory, `${index + 1}`) })
    })
  })
  afterAll(() => servers?.stop())

  it("votes if it is new, and not if it has lost what was in it, until it has that again", async () => {
    const isBegun = () => ([0, 1, 2].some((index) => existsSync(markerOf(index))) ? undefined : true)
    await eventually(async () => isBegun(), "the files to be gone", 10_000)
    const session = await Session.open({ ports: servers.ports, timeoutMs: 20_000 })
    for (let n = 1; n <= 20; n++) assert.strictEqual((await session.create(`/kept-${n}`, "x")).error, 0)

    const leader = await servers.leader()
    const [lost, other] = [0, 1, 2].filter((index) => index !== leader) as [number, number]
    const { ground } = servers
    await servers.peer(lost).kill()
    await ground.database(lost).emptyDatabase(databaseOf(lost + 1))
    await servers.startPeers(lost)
    assert.include(readFileSync(ground.log(`peer-${lost + 1}`), "utf8"), "nothing is in its database")
    const rebuilding = async () =>
      (await ground.database(lost).query(databaseOf(lost + 1), "SELECT rebuilding FROM epochs"))[0]!["rebuilding"]
    await eventually(async () => ((await rebuilding()) === false ? true : undefined), "its vote", 30_000)

    // Two are left, so what is acknowledged now it has acknowledged.
    await servers.peer(other).kill()
    await eventually(
      async () => {
        await session.ready()
        return session.create("/with-its-vote", "").then(
          ({ error }) => (error === 0 || error === -110 ? true : undefined),
          () => undefined
        )
      },
      "a write with its vote",
      30_000
    )
    assert.deepStrictEqual(session.violations, [])
    assert.strictEqual((await session.exists("/kept-20")).error, 0)
    await session.close()
  })
})
