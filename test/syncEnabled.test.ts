/** `syncEnabled=false`: an observer keeps nothing on a disk, and lacks nothing. */
import pg from "pg"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Session } from "./recorder/session.ts"
import { assertSame } from "./setup/trees.ts"
import { Ensemble, serving } from "./setup/zkmesh.ts"

const server = (sid: number, role: string): string => `server.${sid}=127.0.0.1:${2887 + sid}:${3887 + sid}:${role}`

describe("an observer without a log of its own", () => {
  let ensemble: Ensemble

  beforeAll(async () => {
    const members = [1, 2, 3].map((sid) => server(sid, "participant"))
    ensemble = await Ensemble.start(4, [...members, server(4, "observer"), "syncEnabled=false"])
  })
  afterAll(() => ensemble?.stop())

  it("has no database beside the voters', and everything again after each start", async () => {
    const shown = await ensemble.process.line(/look at it +psql/)
    const client = new pg.Client({ connectionString: /psql '([^']+)'/.exec(shown)![1]! })
    await client.connect()
    const { rows } = await client.query("select datname from pg_database where datname like 'peer%' order by datname")
    await client.end()
    assert.deepStrictEqual(
      rows.map((row: { readonly datname: string }) => row.datname),
      ["peer1", "peer2", "peer3"]
    )
    const session = await Session.open({ ports: [ensemble.ports[3]!], timeoutMs: 20_000 })
    for (let n = 1; n <= 50; n++) assert.strictEqual((await session.create(`/seen-${n}`, "x")).error, 0)
    await session.close()
    await ensemble.stop()
    await ensemble.start()
    assert.strictEqual((await serving(ensemble.ports))[3], "observer")
    await assertSame(ensemble.ports)
    const again = await Session.open({ ports: [ensemble.ports[3]!], timeoutMs: 20_000 })
    assert.strictEqual((await again.exists("/seen-50")).error, 0)
    await again.close()
  })
})
