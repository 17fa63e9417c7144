import { OpCode } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { type Stage, withFrontend } from "./harness.ts"

const ask = async ({ client }: Stage, word: string): Promise<string> => {
  const raw = client()
  raw.send(Buffer.from(word))
  return raw.untilClosed()
}

describe("four-letter words", () => {
  it("answers ruok and isro, with or without a newline, also in pieces or half-closed", () =>
    withFrontend({}, async (stage) => {
      assert.strictEqual(await ask(stage, "ruok"), "imok")
      assert.strictEqual(await ask(stage, "ruok\r\n"), "imok")
      assert.strictEqual(await ask(stage, "isro"), "rw")
      const raw = stage.client()
      raw.send(Buffer.from("ru"))
      await new Promise(setImmediate)
      raw.send(Buffer.from("ok"))
      assert.strictEqual(await raw.untilClosed(), "imok")
      const half = stage.client()
      half.socket.end("srvr")
      assert.match(await half.untilClosed(), /^Zookeeper version: 3\.9/)
    }))

  it("prints srvr as ZooKeeper does", () =>
    withFrontend({}, async (stage) => {
      const raw = stage.client()
      await raw.open()
      raw.send(raw.requestFrame(1, OpCode.getData))
      await raw.frame(2)
      assert.match(
        await ask(stage, "srvr"),
        new RegExp(
          [
            "^Zookeeper version: 3\\.9\\.5-\\S+, built on \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d UTC",
            "Latency min/avg/max: \\d+/\\d+\\.\\d+/\\d+",
            "Received: 1",
            "Sent: 2",
            "Connections: 2",
            "Outstanding: 0",
            "Zxid: 0x4d",
            "Mode: follower",
            "Node count: 5\n$"
          ].join("\n")
        )
      )
    }))

  it("lists connections for stat and cons", () =>
    withFrontend({}, async (stage) => {
      const raw = stage.client()
      await raw.open()
      raw.send(raw.requestFrame(0x10, OpCode.getData))
      await raw.frame(2)
      const stat = await ask(stage, "stat")
      assert.include(stat, `Clients:\n /127.0.0.1:${raw.port}[1](queued=0,recved=1,sent=2)\n`)
      assert.match(stat, /\n\nLatency min/)
      const cons = await ask(stage, "cons")
      const line = new RegExp(
        ` /127\\.0\\.0\\.1:${raw.port}\\[1\\]\\(queued=0,recved=1,sent=2,sid=0x3e9,lop=GETD,est=\\d{13},to=30000,` +
          "lcxid=0x10,lzxid=0x63,lresp=\\d+,llat=\\d+,minlat=\\d+,avglat=\\d+,maxlat=\\d+\\)\n"
      )
      assert.match(cons, line)
      assert.match(cons, /\(queued=0,recved=0,sent=0\)\n\n$/)
      assert.strictEqual(await ask(stage, "crst"), "Connection stats reset.\n")
      assert.include(await ask(stage, "cons"), "lop=NA")
      assert.strictEqual(await ask(stage, "srst"), "Server stats reset.\n")
      assert.include(await ask(stage, "srvr"), "Received: 0")
    }))

  it("prints mntr as keys and values, its own and its peer's", () =>
    withFrontend({}, async (stage) => {
      const mntr = await ask(stage, "mntr")
      const keys = mntr
        .trimEnd()
        .split("\n")
        .map((line) => line.split("\t")[0])
      assert.deepStrictEqual(keys.slice(0, 2), ["zk_version", "zk_server_state"])
      for (const key of [
        "avg_latency",
        "packets_received",
        "num_alive_connections",
        "outstanding_requests",
        "uptime"
      ]) {
        assert.include(keys, `zk_${key}`)
      }
      assert.match(mntr, /^zk_znode_count\t5$/m)
      assert.match(mntr, /^zk_avg_latency\t0\.0$/m)
      assert.strictEqual(new Set(keys).size, keys.length, "no key twice")
    }))

  it("counts in mntr by reason whom the server has sent away", () =>
    withFrontend({}, async (stage) => {
      assert.notInclude(await ask(stage, "mntr"), "_connection_drops")
      // Longer than any frame may be.
      for (let i = 0; i < 2; i++) await ask(stage, "\x7fabc")
      assert.match(await ask(stage, "mntr"), /^zk_bad_length_connection_drops\t2$/m)
    }))

  it("prints what is watched, and who expires when", () =>
    withFrontend({}, async (stage) => {
      const session = stage.sessions[0]!
      session.isHelpful = false
      const answered = async (word: string, name: string, stats: object) => {
        const text = ask(stage, word)
        await session.until(() => session.all("Query").some((query) => query.name === name && !seen.has(query.id)))
        const query = session.all("Query").at(-1)!
        seen.add(query.id)
        session.link!.send({ _tag: "Answer", id: query.id, stats: { ...stats } })
        return text
      }
      const seen = new Set<number>()
      const watches = {
        connections: 2,
        paths: 2,
        watches: 3,
        sessions: [
          { session: "0x1", paths: ["/a", "/b"] },
          { session: "0x2", paths: ["/a"] }
        ]
      }
      assert.strictEqual(
        await answered("wchs", "watches", watches),
        "2 connections watching 2 paths\nTotal watches:3\n"
      )
      assert.strictEqual(await answered("wchc", "watches", watches), "0x1\n\t/a\n\t/b\n0x2\n\t/a\n\n")
      assert.strictEqual(await answered("wchp", "watches", watches), "/a\n\t0x1\n\t0x2\n/b\n\t0x1\n\n")
      const following = { leading: false, sessions: [{ session: "0x5", timeout: 4000 }] }
      assert.match(
        await answered("dump", "sessions", following),
        /^SessionTracker dump:\nGlobal Sessions\(1\):\n0x5\t4000ms\nephemeral nodes dump:\nSessions with Ephemerals \(0\):\nConnections dump:\n/
      )
      const leading = { ...following, leading: true, now: 0, sets: [{ expiresAt: 60_000, sessions: ["0x5"] }] }
      assert.match(
        await answered("dump", "sessions", leading),
        /^SessionTracker dump:\nSession Sets \(1\)\/\(1\):\n1 expire at \w{3} \w{3} \d\d \d\d:\d\d:\d\d UTC \d{4}:\n\t0x5\n/
      )
    }))

  it("prints its configuration and environment", () =>
    withFrontend(
      {
        configuration: [
          ["clientPort", 2181],
          ["tickTime", 2000]
        ]
      },
      async (stage) => {
        assert.strictEqual(await ask(stage, "conf"), "clientPort=2181\ntickTime=2000\n")
        assert.match(await ask(stage, "envi"), /^Environment:\nzookeeper\.version=3\.9\.5[^\n]*\nhost\.name=/)
        assert.strictEqual(await ask(stage, "dirs"), "datadir_size: 0\nlogdir_size: 0\n")
      }
    ))

  it("keeps to the whitelist, which always has srvr", () =>
    withFrontend({ fourLetterWords: ["ruok"] }, async (stage) => {
      assert.strictEqual(await ask(stage, "ruok"), "imok")
      assert.include(await ask(stage, "srvr"), "Mode:")
      assert.strictEqual(await ask(stage, "mntr"), "mntr is not executed because it is not in the whitelist.\n")
    }))

  it("says so when nobody serves", () =>
    withFrontend({}, async (stage) => {
      stage.sessions[0]!.status(false)
      assert.strictEqual(await ask(stage, "srvr"), "This ZooKeeper instance is not currently serving requests\n")
      assert.strictEqual(await ask(stage, "isro"), "null")
      assert.strictEqual(await ask(stage, "ruok"), "imok")
      stage.sessions[0]!.status(true)
      stage.sessions[0]!.isHelpful = false
      const text = ask(stage, "mntr")
      await stage.sessions[0]!.first("Query")
      stage.sessions[0]!.link!.break("test")
      assert.strictEqual(await text, "This ZooKeeper instance is not currently serving requests\n")
    }))
})
