/**
 * Every knob, declared once: its type, unit, default and meaning. zoo.cfg, the environment, the checks at start-up and
 * the table that `--help-config` prints all come from this schema.
 */
import * as Schema from "effect/Schema"
import { doorKnobs } from "./doorKnobs.ts"
import {
  count,
  flag,
  INT,
  knob,
  mapped,
  maybe,
  name,
  ours,
  port,
  positive,
  proxies,
  text,
  whole,
  words,
  zookeeper
} from "./knob.ts"
import { operatorKnobs } from "./operatorKnobs.ts"
import { quorumKnobs } from "./quorumKnobs.ts"
import { telemetryKnobs } from "./telemetryKnobs.ts"

export type { About, Origin } from "./knob.ts"

const time = {
  tickTime: knob(
    positive,
    "3000",
    zookeeper("ms", "the base unit of time; heartbeats and timeouts are multiples of it")
  ),
  initLimit: knob(positive, "10", zookeeper("ticks", "how long a learner may take to synchronise with a new leader")),
  syncLimit: knob(positive, "5", zookeeper("ticks", "how long a peer may be silent or lag before it is given up")),
  minSessionTimeout: knob(whole(-1, INT), "-1", zookeeper("ms", "shortest session timeout granted; -1: 2 ticks")),
  maxSessionTimeout: knob(whole(-1, INT), "-1", zookeeper("ms", "longest session timeout granted; -1: 20 ticks"))
}

const clients = {
  clientPort: maybe(port, {
    ...zookeeper("port", "where clients connect"),
    otherwise: "2181, then the next free step per peer in the ensemble placement"
  }),
  clientPortAddress: maybe(text, {
    ...zookeeper("address", "the address that clients connect to"),
    otherwise: "127.0.0.1 in the ensemble placement, else all"
  }),
  secureClientPort: maybe(
    port,
    zookeeper("port", "where clients connect by TLS; the first of them in the ensemble placement")
  ),
  secureClientPortAddress: maybe(text, {
    ...zookeeper("address", "the address that they connect to"),
    otherwise: "as clientPortAddress"
  }),
  clientPortListenBacklog: knob(
    whole(-1, INT),
    "-1",
    zookeeper("connections", "length of the accept queue; -1: the system's")
  ),
  maxClientCnxns: knob(count, "60", zookeeper("connections", "per client address and frontend; 0: no limit")),
  "jute.maxbuffer": knob(whole(1024, INT), "1048575", zookeeper("bytes", "largest frame that a client may send")),
  globalOutstandingLimit: knob(
    positive,
    "100000",
    mapped(
      "requests",
      "unanswered requests of the ensemble; a server with its part of them (one by voters - 1) reads no more; ZooKeeper's default: 1000"
    )
  ),
  "nio.sessionlessCnxnTimeout": knob(
    positive,
    "10000",
    zookeeper("ms", "how long a connection may take to get a session")
  ),
  "DigestAuthenticationProvider.superDigest": maybe(
    text,
    zookeeper("super:digest", "who proves this may do everything")
  ),
  "4lw.commands.whitelist": knob(words, "srvr", zookeeper("list", "four-letter words that are answered; *: all"))
}

const ensemble = {
  dataDir: maybe(text, {
    ...mapped("path", "holds the embedded Postgres (ensemble placement) and, as in ZooKeeper, the file myid"),
    otherwise: "./data in the ensemble placement"
  }),
  snapCount: knob(
    whole(2, INT),
    "100000",
    mapped("transactions", "a checkpoint of the tree is written at least this often")
  ),
  extendedTypesEnabled: knob(flag, "false", zookeeper("true or false", "TTL znodes; must be the same on every server")),
  reconfigEnabled: knob(
    flag,
    "false",
    zookeeper("true or false", "servers may be added and removed while serving; must be the same on every server")
  ),
  standaloneEnabled: knob(
    flag,
    "true",
    zookeeper("true or false", "a single voter is a server alone: reconfigurations must leave at least two")
  ),
  dynamicConfigFile: maybe(
    text,
    zookeeper("path", "holds the server.N, group.N and weight.N lines in place of zoo.cfg")
  ),
  enforceQuota: knob(
    flag,
    "false",
    zookeeper("true or false", "hard quotas are kept, not only counted; must be the same on every server")
  ),
  skipACL: knob(
    Schema.Literals(["yes", "no"]),
    "no",
    zookeeper("choice", "yes: nobody's permissions are checked; must be the same on every server")
  ),
  "znode.container.checkIntervalMs": knob(
    positive,
    "60000",
    zookeeper("ms", "how often the leader looks for empty containers and TTL znodes past their time")
  ),
  "znode.container.maxPerMinute": knob(
    positive,
    "10000",
    zookeeper("znodes", "how many of them it deletes in a minute at most")
  ),
  "znode.container.maxNeverUsedIntervalMs": knob(
    count,
    "0",
    zookeeper("ms", "how long a container may wait for its first child; 0: for ever")
  ),
  "fastleader.minNotificationInterval": knob(
    positive,
    "200",
    zookeeper("ms", "first pause between election notifications")
  ),
  "fastleader.maxNotificationInterval": knob(
    positive,
    "5000",
    mapped("ms", "longest such pause (ZooKeeper's default: 60000)")
  )
}

const own = {
  "peer.id": maybe(whole(1, 255), {
    ...ours("id", "N of this peer's server.N"),
    otherwise: "--id, ZOO_MY_ID, or the file myid in dataDir"
  }),
  "ensemble.name": knob(
    name,
    "zkmesh",
    ours("name", "prefix of every NATS subject: ensembles of different names share a broker")
  ),
  bus: maybe(Schema.Literals(["loopback", "nats"]), {
    ...ours("choice", "how services reach each other"),
    otherwise: "loopback in the ensemble placement, else nats"
  }),
  "nats.servers": knob(words, "127.0.0.1:4222", ours("list", "NATS servers, host:port")),
  "nats.user": maybe(text, ours("text", "NATS user")),
  "nats.password": maybe(text, ours("text", "NATS password")),
  "nats.token": maybe(text, ours("text", "NATS token, instead of user and password")),
  "nats.tls.ca": maybe(
    text,
    ours("path", "who may sign the broker's certificate; makes the connection to NATS a TLS one")
  ),
  "nats.tls.cert": maybe(text, ours("path", "this process's own certificate, if the broker wants to see one")),
  "nats.tls.key": maybe(text, ours("path", "the key of nats.tls.cert")),
  "nats.heartbeatMs": knob(
    positive,
    "50",
    ours("ms", "how often processes ask after each other: how late a killed one is noticed, and what idle ones cost")
  ),
  store: maybe(Schema.Literals(["embedded", "postgres", "memory"]), {
    ...ours("choice", "where a peer's log and tree are kept; memory survives nothing"),
    otherwise: "postgres if postgres.url is set, else embedded (ensemble placement)"
  }),
  "postgres.url": maybe(
    text,
    ours("URL", "a peer's database; {id} becomes the peer's id; postgres.url.N is peer N's own")
  ),
  "postgres.password": maybe(text, ours("text", "of the user in postgres.url, where the URL has none")),
  "checkpoint.intervalMs": knob(
    positive,
    "10000",
    ours("ms", "how often changed znodes are written to the checkpoint")
  ),
  "log.retain": knob(count, "1000000", ours("transactions", "kept in the log behind the checkpoint; 0: all, for ever")),
  "broadcast.windowBytes": knob(
    whole(65_536, INT),
    "33554432",
    ours("bytes", "recent history kept in memory, for learners that were away briefly")
  ),
  "znode.recentReplyBytes": knob(
    whole(1024, INT),
    "8388608",
    ours(
      "bytes",
      "the replies to everybody's last writes, for clients whose peer has died and who are carried over here"
    )
  ),
  "znode.recentEvents": knob(
    count,
    "32768",
    ours("transactions", "whose changes are remembered, so that the same clients are told each event once; 0: none")
  ),
  "broadcast.commitLingerMs": knob(
    count,
    "1",
    ours(
      "ms",
      "how long a commit that no client of another peer waits for waits at least, and twice that at most, for a proposal to ride with; 0: not"
    )
  ),
  "broadcast.appendLingerMs": knob(
    count,
    "20",
    ours(
      "ms",
      "how long a voter beyond the quorum may keep a lone writer's proposals, to append several at a time; 0: not"
    )
  ),
  "election.finalizeWaitMs": knob(count, "50", ours("ms", "how long a winning vote waits for a better one")),
  "frontend.name": maybe(name, {
    ...ours("name", "this frontend's address on the bus"),
    otherwise: "the peer's id, or host and pid"
  }),
  "frontend.proxyProtocol": knob(
    proxies,
    "",
    ours(
      "list",
      "proxies (addresses, 10.0.0.0/8, names) whose connections all begin with a PROXY header, v1 or v2, naming the client"
    )
  ),
  "frontend.maxOutstanding": knob(
    positive,
    "256",
    ours("requests", "unanswered requests of one connection, above which its socket is not read")
  ),
  "restart.minMs": knob(positive, "200", ours("ms", "pause before a failed peer is built again, doubled each time")),
  "restart.maxMs": knob(positive, "5000", ours("ms", "longest such pause")),
  "logger.level": knob(
    Schema.Literals(["trace", "debug", "info", "warn", "error"]),
    "info",
    ours("choice", "least severe line that is logged")
  ),
  "logger.format": knob(
    Schema.Literals(["auto", "pretty", "json"]),
    "auto",
    ours("choice", "auto: pretty on a terminal, else one JSON object per line")
  )
}

/** Key → value, as decoded. `server.N` and `postgres.url.N` are families of keys and read apart. */
export const Knobs = Schema.Struct({
  ...time,
  ...clients,
  ...doorKnobs,
  ...ensemble,
  ...quorumKnobs,
  ...operatorKnobs,
  ...telemetryKnobs,
  ...own
})

export type Knobs = typeof Knobs.Type
export type KnobKey = keyof Knobs
