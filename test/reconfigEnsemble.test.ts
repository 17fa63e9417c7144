/** `npm start`, reconfigured: peers start and stop within the process, and the next start knows who they are. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { zkCli } from "./clients/zkcli.ts"
import { Session } from "./recorder/session.ts"
import { fourLetterWord, monitor } from "./setup/four-letter-words.ts"
import { SUPER, SUPER_DIGEST } from "./setup/growing.ts"
import { freeRange } from "./setup/ports.ts"
import { eventually } from "./setup/processes.ts"
import { assertSame } from "./setup/trees.ts"
import { connectString, Ensemble } from "./setup/zkmesh.ts"
import { mode } from "./setup/zookeeper.ts"

let ensemble: Ensemble
/** Of those who join. */
let more: number

/** Peer N's client port. */
const portOf = (sid: number): number => (sid <= 3 ? ensemble.ports[sid - 1]! : more + sid - 4)
const line = (sid: number, role = "participant"): string =>
  `server.${sid}=127.0.0.1:${2887 + sid}:${3887 + sid}:${role};127.0.0.1:${portOf(sid)}`
const membersAre = async (...sids: ReadonlyArray<number>) => {
  const serves = async (sid: number) => ((await monitor(portOf(sid))).get("zk_peer_id") === `${sid}` ? true : undefined)
  await Promise.all(sids.map((sid) => eventually(() => serves(sid), `peer ${sid} to serve`, 60_000)))
  const others = [1, 2, 3, 4, 5].filter((sid) => !sids.includes(sid))
  const isGone = async (sid: number) => ((await fourLetterWord(portOf(sid), "ruok")) === undefined ? true : undefined)
  await Promise.all(others.map((sid) => eventually(() => isGone(sid), `peer ${sid} to be gone`, 60_000)))
}
const reconfig = async (sids: ReadonlyArray<number>, ...commands: ReadonlyArray<string>) => {
  const { lines } = await zkCli(connectString(sids.map(portOf)), [`addauth digest ${SUPER}`, ...commands])
  return lines.join("\n")
}

beforeAll(async () => {
  more = await freeRange(2)
  ensemble = await Ensemble.start(3, [
    "reconfigEnabled=true",
    `DigestAuthenticationProvider.superDigest=${SUPER_DIGEST}`,
    "extendedTypesEnabled=true"
  ])
})
afterAll(() => ensemble?.stop())

describe("npm start with reconfigEnabled", () => {
  it("shows its members as ZooKeeper does", async () => {
    const said = await reconfig([1, 2, 3], "config")
    assert.include(said, [1, 2, 3].map((sid) => line(sid)).join("\n"))
  })

  it("starts the peers that join, and stops those that leave, the leader too", { timeout: 240_000 }, async () => {
    const session = await Session.open({ ports: [1, 2, 3, 4, 5].map(portOf), timeoutMs: 20_000 })
    assert.strictEqual((await session.create("/kept", "x")).error, 0)
    const said = await reconfig([1, 2, 3], `reconfig -add ${line(4)},${line(5, "observer")}`)
    assert.include(said, `Committed new configuration:\n${[1, 2, 3, 4].map((sid) => line(sid)).join("\n")}`)
    await membersAre(1, 2, 3, 4, 5)
    assert.strictEqual(await mode(portOf(5)), "observer")
    await assertSame([1, 2, 3, 4, 5].map(portOf))

    const modes = await Promise.all([1, 2, 3].map((sid) => mode(portOf(sid))))
    const leader = modes.indexOf("leader") + 1
    const left = [1, 2, 3, 4].filter((sid) => sid !== leader)
    assert.include(await reconfig(left, `reconfig -remove ${leader}`), "Committed new configuration:")
    await membersAre(...left, 5)
    await session.ready()
    assert.strictEqual((await session.create("/afterwards", "x")).error, 0)
    assert.include(await reconfig(left, `reconfig -add ${line(leader)} -remove 5`), "Committed new configuration:")
    await membersAre(1, 2, 3, 4)
    await session.ready()
    assert.deepStrictEqual(session.violations, [])
    await session.close()
    await assertSame([1, 2, 3, 4].map(portOf))
  })

  it("is who it was after the next start", { timeout: 120_000 }, async () => {
    await ensemble.stop()
    await ensemble.start()
    await membersAre(1, 2, 3, 4)
    const session = await Session.open({ ports: [portOf(4)], timeoutMs: 20_000 })
    assert.strictEqual((await session.exists("/afterwards")).error, 0)
    await session.close()
    await assertSame([1, 2, 3, 4].map(portOf))
  })
})
