import { assert, describe as group, it } from "@effect/vitest"
import {
  type ConfigError,
  describe,
  describeMarkdown,
  observesInMemory,
  readConfig,
  type Sources,
  sessionTimeouts
} from "@zkmesh/config"
import { Effect } from "effect"

const parse = (text: string, sources: Omit<Sources, "file"> = {}) =>
  readConfig({ ...sources, file: { name: "zoo.cfg", text } })
const refusal = (text: string, sources: Omit<Sources, "file"> = {}) =>
  Effect.map(Effect.flip(parse(text, sources)), (error: ConfigError) => error.message)

const THREE = [1, 2, 3].map((sid) => `server.${sid}=zoo${sid}:2888:3888;2181`).join("\n")

group("a zoo.cfg", () => {
  it.effect("of ZooKeeper's sample reads as it is", () =>
    Effect.gen(function* () {
      const text = `tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir=/tmp/zookeeper\nclientPort=2181\n${THREE}
        server.4=[::1]:2888:3888:OBSERVER;[::1]:2184\nautopurge.snapRetainCount=3\nnio.numWorkerThreads=4`
      const { knobs, servers, notices } = yield* parse(text)
      assert.strictEqual(knobs.tickTime, 2000)
      assert.strictEqual(knobs.dataDir, "/tmp/zookeeper")
      assert.deepStrictEqual(sessionTimeouts(knobs), { minMs: 4000, maxMs: 40_000 })
      assert.deepStrictEqual(
        servers.map(({ sid, host, role, clientHost, clientPort }) => [sid, host, role, clientHost, clientPort]),
        [
          [1, "zoo1", "participant", undefined, 2181],
          [2, "zoo2", "participant", undefined, 2181],
          [3, "zoo3", "participant", undefined, 2181],
          [4, "::1", "observer", "::1", 2184]
        ]
      )
      assert.lengthOf(notices, 2)
      assert.include(notices[0], "autopurge.snapRetainCount has no effect")
    })
  )

  it.effect("has ZooKeeper's defaults where it says nothing", () =>
    Effect.gen(function* () {
      const { knobs, servers, notices } = yield* readConfig({})
      assert.strictEqual(knobs.tickTime, 3000)
      assert.strictEqual(knobs.maxClientCnxns, 60)
      assert.strictEqual(knobs["jute.maxbuffer"], 1_048_575)
      assert.deepStrictEqual(knobs["4lw.commands.whitelist"], ["srvr"])
      assert.isUndefined(knobs.clientPort)
      assert.deepStrictEqual([servers.length, notices.length], [0, 0])
    })
  )

  it.effect("lets observers do without a disk, unless they may come to vote", () =>
    Effect.gen(function* () {
      const read = (text: string) => readConfig({ file: { name: "zoo.cfg", text } })
      assert.isFalse(observesInMemory(yield* read("")))
      assert.isTrue(observesInMemory(yield* read("syncEnabled=false")))
      assert.isFalse(observesInMemory(yield* read("syncEnabled=false\nobserver.syncEnabled=true")))
      const changing = yield* read("observer.syncEnabled=false\nreconfigEnabled=true")
      assert.isFalse(observesInMemory(changing))
      assert.include(changing.notices.join(), "syncEnabled=false has no effect beside reconfigEnabled")
    })
  )

  const refused: ReadonlyArray<readonly [text: string, message: string]> = [
    ["\nticktime=2000", "zoo.cfg:2: ticktime: unknown key; did you mean tickTime?"],
    ["colour=red", "zoo.cfg:1: colour: unknown key"],
    ["zookeeper.snapCount=5", "zoo.cfg:1: zookeeper.snapCount: unknown key; in zoo.cfg it is written snapCount"],
    ["tickTime=2s", 'zoo.cfg:1: tickTime: expected a whole number, got "2s"'],
    ["tickTime=0", 'zoo.cfg:1: tickTime: expected a whole number from 1 to 2147483647, got "0"'],
    ["bus=tcp", 'zoo.cfg:1: bus: expected "loopback" | "nats", got "tcp"'],
    [
      "frontend.proxyProtocol=haproxy,10.0.0.0/33",
      'zoo.cfg:1: frontend.proxyProtocol: expected addresses, networks (10.0.0.0/8) and names of hosts, not 10.0.0.0/33, got "haproxy,10.0.0.0/33"'
    ],
    ["snapCount=1", 'zoo.cfg:1: snapCount: expected a whole number from 2 to 2147483647, got "1"'],
    ["clientPortAddress=::1", "zoo.cfg:1: clientPortAddress: needs clientPort"],
    ["minSessionTimeout=90000", "zoo.cfg:1: minSessionTimeout: 90000 ms is more than maxSessionTimeout, 60000 ms"],
    ["server.x=a:1:2", "zoo.cfg:1: server.x: a server's id is a number from 1 to 255"],
    ["server.1=a:1:1", "zoo.cfg:1: server.1: quorum port and election port must differ"],
    ["server.1=a:1:2:boss", 'zoo.cfg:1: server.1: "boss" is neither participant nor observer'],
    ["server.1=a:1:2;0", "zoo.cfg:1: server.1: 0 is not a port (1…65535)"],
    ["server.1=a:1:2\nserver.01=b:1:2", "zoo.cfg:2: server.01: server 1 is given twice"],
    ["server.1=a:1:2:observer", "zoo.cfg:1: server.1: all servers are observers: somebody must vote"],
    ["group.1=1:2", "group.N: group 1: there is no voting server 1"],
    ["server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1", "group.N: server 2 is in no group"],
    ["ssl.clientAuth=maybe", 'zoo.cfg:1: ssl.clientAuth: expected "none" | "want" | "need", got "maybe"'],
    ["electionAlg=1", "zoo.cfg:1: electionAlg: only 3 (FastLeaderElection) exists"],
    ["nats.user=me", "zoo.cfg:1: nats.user: nats.user and nats.password go together"],
    [`${THREE}\npostgres.url.4=x`, "zoo.cfg:4: postgres.url.4: there is no server.4"],
    [
      `${THREE}\npostgres.url=postgres://db/zk`,
      "zoo.cfg:4: postgres.url: peers 1 and 2 would share one database; write {id} where the peer's id belongs"
    ],
    ["a=\\u1", "zoo.cfg:1: a \\u needs four hexadecimal digits after it"]
  ]
  for (const [text, message] of refused) {
    it.effect(`refuses ${JSON.stringify(text)}`, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* refusal(text), message)
      })
    )
  }

  it.effect("shows no secret in a refusal", () =>
    Effect.gen(function* () {
      assert.notInclude(yield* refusal("nats.user=me\nnats.password=hush\nnats.token=hush"), "hush")
    })
  )
})

group("sources", () => {
  it.effect("are the base, the file, ZOO_, ZKMESH_ and flags, each stronger than the one before", () =>
    Effect.gen(function* () {
      const { knobs } = yield* parse("initLimit=2\nsyncLimit=2\nmaxClientCnxns=2\ntickTime=2", {
        base: { snapCount: "11", initLimit: "11" },
        environment: {
          ZOO_SYNC_LIMIT: "3",
          ZOO_MAX_CLIENT_CNXNS: "3",
          ZKMESH_MAXCLIENTCNXNS: "4",
          ZKMESH_TICKTIME: "4"
        },
        flags: [{ key: "tickTime", value: "5", source: "--tick" }]
      })
      assert.deepStrictEqual(
        [knobs.snapCount, knobs.initLimit, knobs.syncLimit, knobs.maxClientCnxns, knobs.tickTime],
        [11, 2, 3, 4, 5]
      )
    })
  )

  it.effect("give servers and URLs from the environment too", () =>
    Effect.gen(function* () {
      const { knobs, servers, postgresUrls } = yield* readConfig({
        environment: {
          ZOO_MY_ID: "2",
          ZOO_SERVERS: "server.1=a:2888:3888;2181 server.2=b:2888:3888;2181",
          ZKMESH_SERVER_2: "c:2888:3888",
          ZKMESH_POSTGRES_URL_1: "postgres://one",
          ZKMESH_NATS_SERVERS: "n1:4222, n2:4222",
          ZKMESH_BUS: ""
        }
      })
      assert.deepStrictEqual(
        servers.map((server) => server.host),
        ["a", "c"]
      )
      assert.strictEqual(knobs["peer.id"], 2)
      assert.strictEqual(postgresUrls.get(1), "postgres://one")
      assert.deepStrictEqual(knobs["nats.servers"], ["n1:4222", "n2:4222"])
      assert.isUndefined(knobs.bus)
    })
  )

  it.effect("name the variable that is wrong, and only mention one that is not ours", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* refusal("", { environment: { ZKMESH_TICKTIME: "x" } }),
        'ZKMESH_TICKTIME: tickTime: expected a whole number, got "x"'
      )
      const { notices } = yield* readConfig({ environment: { ZKMESH_TICK_TIME: "5" } })
      assert.deepStrictEqual(notices, [
        "environment variable ZKMESH_TICK_TIME is none of ours; did you mean ZKMESH_TICKTIME?"
      ])
    })
  )
})

group("the description", () => {
  it("has every knob, each with a unit and a meaning, and no two with one variable", () => {
    const knobs = describe()
    assert.isAbove(knobs.length, 25)
    assert.strictEqual(new Set(knobs.map((knob) => knob.variable)).size, knobs.length)
    for (const knob of knobs) assert.isTrue(knob.meaning !== "" && knob.unit !== "", knob.key)
    for (const knob of knobs) assert.include(describeMarkdown(), `\`${knob.key}\``)
  })
})

it.effect("joins superUser and every superUser.N", () =>
  Effect.gen(function* () {
    const text = "superUser=a,b\nsuperUser.1=c\nsuperUser.7=d"
    const { knobs, notices } = yield* readConfig({ file: { name: "zoo.cfg", text } })
    assert.deepStrictEqual(knobs.superUser, ["a", "b", "c", "d"])
    assert.deepStrictEqual(notices, [])
    const one = yield* readConfig({ file: { name: "zoo.cfg", text: "superUser.3=c" } })
    assert.deepStrictEqual(one.knobs.superUser, ["c"])
  })
)

it.effect("says of a security setting that means nothing here what takes its place", () =>
  Effect.gen(function* () {
    const text = "sslQuorum=true\nquorum.auth.enableSasl=true\nkerberos.removeRealmFromPrincipal=true"
    const { notices } = yield* readConfig({ file: { name: "zoo.cfg", text } })
    assert.lengthOf(notices, 3)
    for (const [index, place] of ["nats.tls.ca", "nats.tls.cert", "DIGEST-MD5"].entries()) {
      assert.include(notices[index], place)
    }
  })
)
