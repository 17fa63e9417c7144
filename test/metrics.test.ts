/** What is measured, under ZooKeeper's names, beside what Debian's ZooKeeper measures of the same. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { ZkClient } from "@zkmesh/client"
import { CATALOGUE, type MetricName } from "@zkmesh/metrics"
import { monitor } from "./setup/four-letter-words.ts"
import { ZOOKEEPERS } from "./setup/metricNames.ts"
import { freeRange } from "./setup/ports.ts"
import { eventually } from "./setup/processes.ts"
import { traffic } from "./setup/traffic.ts"
import { Ensemble } from "./setup/zkmesh.ts"
import { mode, ZooKeeper } from "./setup/zookeeper.ts"

/** What of ZooKeeper's stands for nothing here, and why; these are served as zeros, everything else is measured. */
const NOTHING_HERE: Readonly<Record<string, string>> = {
  "replies come from the tree, no cache": `response_packet_cache_hits response_packet_cache_misses
    response_packet_get_children_cache_hits response_packet_get_children_cache_misses`,
  "a watcher that has gone is forgotten at once": `add_dead_watcher_stall_time dead_watchers_queued dead_watchers_cleared
    dead_watchers_cleaner_latency`,
  "peers meet over the broker, which has its own authentication": `ensemble_auth_success ensemble_auth_fail
    ensemble_auth_skip socket_closing_time`,
  "observers hear the fan-out": "om_proposal_process_time_ms om_commit_process_time_ms",
  "a request goes from service to service in its one thread": `requests_not_forwarded_to_commit_processor
    skip_learner_request_to_next_processor_count time_waiting_empty_pool_in_commit_processor_read_ms
    concurrent_request_processing_in_commit_processor`,
  "a leader without a quorum ends, and asks nobody": "quit_leading_due_to_disloyal_voter",
  "the connection of a stale request is closed": "stale_requests_dropped",
  "there is no Netty": "netty_queued_buffer_capacity"
}

/** The names that dashboards ask for beyond ZooKeeper's own. */
const OF_THE_RUNTIME =
  "jvm_memory_bytes_used jvm_threads_current jvm_gc_collection_seconds nodejs_eventloop_lag_seconds"
/** The names that only a leader has. */
const OF_LEADERS = `ack_latency learner_handler_qp_size learner_handler_qp_time_ms leader_uptime learners synced_followers synced_non_voting_followers synced_observers pending_syncs
  last_proposal_size max_proposal_size min_proposal_size prepare_paths_in_flight prepare_bytes_in_flight prepared_count
  prepare_rejected_count container_deleted_count`

const words = (text: string): Array<string> => text.trim().split(/\s+/)

let ours: Ensemble
let theirs: ZooKeeper
let prometheus: number

beforeAll(async () => {
  prometheus = await freeRange(3)
  const settings = [
    "metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider",
    `metricsProvider.httpPort=${prometheus}`
  ]
  ;[ours, theirs] = await Promise.all([
    Ensemble.start(3, ["enforceQuota=true", ...settings]),
    ZooKeeper.start(3, ["enforceQuota=true"])
  ])
})

afterAll(async () => {
  await Promise.all([ours?.stop(), theirs?.stop()])
})

const withRole = async (ports: ReadonlyArray<number>, role: string): Promise<number> => {
  const modes = await Promise.all(ports.map((port) => mode(port)))
  return ports[modes.indexOf(role)]!
}

/** `mntr` as numbers, without its prefix. */
const figures = async (port: number): Promise<Record<string, number>> =>
  Object.fromEntries([...(await monitor(port))].map(([key, value]) => [key.slice("zk_".length), Number(value)]))

/** The keys under which `mntr` shows a metric. */
const keysOf = (kind: keyof typeof ZOOKEEPERS, name: string): Array<string> => {
  if (kind.startsWith("gauge") || kind.startsWith("counter")) return [name]
  const basic = ["avg", "min", "max", "cnt", "sum"]
  const parts = kind.startsWith("summar") ? basic : [...basic, "p50", "p95", "p99", "p999"]
  return parts.map((part) => `${part}_${name}`)
}
/** A key without its label: a peer's id or a namespace. */
const unlabelled = (key: string): string =>
  key
    .replace(/^(\w+?_)\d+_(ack_latency|learner_handler_qp_\w+)$/, "$1$2")
    .replace(/^((?:avg|min|max|cnt|sum)_).+_((?:read|write)_per_namespace)$/, "$1$2")
    .replace(/^.+?_(quota_\w+_per_namespace)$/, "$1")
const KINDS = Object.keys(ZOOKEEPERS) as Array<keyof typeof ZOOKEEPERS>

/** What a Prometheus gets of a peer: the sum of the values of each name, over all labels but quantiles. */
const scrape = async (peer: number): Promise<Record<string, number>> => {
  const text = await (await fetch(`http://127.0.0.1:${prometheus + peer}/metrics`)).text()
  const sums: Record<string, number> = {}
  for (const [, name, labels, value] of text.matchAll(/^(\w+)(\{.*\})? (\S+)$/gm)) {
    if (labels?.includes("quantile=") !== true) sums[name!] = (sums[name!] ?? 0) + Number(value)
  }
  return sums
}

describe("the names", () => {
  it("are all that ZooKeeper has, of the same kinds", () => {
    for (const kind of KINDS) {
      const other = ZOOKEEPERS[kind].filter((name) => CATALOGUE[name as MetricName]?.kind !== kind)
      assert.deepStrictEqual(other, [], kind)
    }
  })

  it("stand for something here, but for those with a reason", () => {
    const idle = Object.entries(CATALOGUE).filter(([, { owner }]) => owner === "none")
    assert.sameMembers(
      idle.map(([name]) => name),
      Object.values(NOTHING_HERE).flatMap(words)
    )
    for (const [name, { help }] of idle) assert.match(help, /^always 0: ./, name)
  })
})

describe("by top-level znode", () => {
  const ofNamespaces = async (port: number) => {
    const own = Object.entries(await figures(port)).filter(([key]) => /(^|_)n[abq]_.*_per_namespace$/.test(key))
    return Object.fromEntries(own)
  }

  it("reads, writes and quotas are counted to the byte as ZooKeeper counts them", async () => {
    const [mine, zookeepers] = await Promise.all(
      [ours, theirs].map(async ({ ports }) => {
        const leader = await withRole(ports, "leader")
        await traffic(`127.0.0.1:${leader}`)
        return ofNamespaces(leader)
      })
    )
    assert.deepStrictEqual(mine, zookeepers)
    assert.deepInclude(mine, {
      // Paths of 3 and 5 bytes with values of 10, 5 and none; 20 bytes in the first one's place; the end of the ephemeral.
      cnt_na_write_per_namespace: 5,
      sum_na_write_per_namespace: 3 + 10 + (5 + 5) + 5 + (3 + 20) + 5,
      cnt_na_read_per_namespace: 5,
      sum_nb_write_per_namespace: 3 + 1000,
      sum_nb_read_per_namespace: 3 + 1000 + 68,
      nq_quota_bytes_limit_per_namespace: 10,
      nq_quota_bytes_usage_per_namespace: 10,
      nq_quota_count_usage_per_namespace: 2,
      nq_quota_exceeded_error_per_namespace: 3
    })
  })

  it("writes are counted on every peer, reads where they were read", async () => {
    const follower = await withRole(ours.ports, "follower")
    const all = await eventually(
      async () => {
        const known = await ofNamespaces(follower)
        return known["cnt_na_write_per_namespace"] === 5 ? known : undefined
      },
      "the follower to apply everything",
      10_000
    )
    assert.strictEqual(all["sum_nb_write_per_namespace"], 1003)
    assert.isUndefined(all["cnt_na_read_per_namespace"])
    const text = await (await fetch(`http://127.0.0.1:${prometheus + ours.ports.indexOf(follower)}/metrics`)).text()
    assert.match(text, /^# TYPE write_per_namespace summary$/m)
    assert.match(text, /^write_per_namespace_count\{key="nb"\} 1$/m)
    assert.match(text, /^write_per_namespace_sum\{key="nb"\} 1003$/m)
    assert.match(text, /^quota_bytes_limit_per_namespace\{key="nq"\} 10$/m)
  })
})

describe("after that, every name", () => {
  const isServed = (name: string, role: string): boolean =>
    role === "leader" || !words(`${OF_LEADERS} quota_exceeded_error_per_namespace read_per_namespace`).includes(name)

  for (const role of ["leader", "follower"]) {
    it(`is served by mntr of a ${role}, as by ZooKeeper's`, async () => {
      const [mine, zookeepers] = await Promise.all(
        [ours, theirs].map(async ({ ports }) => {
          const port = await withRole(ports, role)
          // Some figures are a second old here: then what was measured for the first time since then has none.
          return eventually(
            async () => {
              const table = [...(await monitor(port))].map(([key, value]) => [unlabelled(key.slice(3)), value] as const)
              const isSettled = role !== "leader" || table.some(([key]) => key === "cnt_learner_handler_qp_time_ms")
              return isSettled ? new Map(table) : undefined
            },
            "the learners to be heard of",
            10_000
          )
        })
      )
      const expected = KINDS.flatMap((kind) =>
        ZOOKEEPERS[kind].filter((name) => isServed(name, role)).map((name) => keysOf(kind, name))
      )
      assert.deepStrictEqual(
        expected.flat().filter((key) => !mine!.has(key)),
        []
      )
      assert.deepStrictEqual(
        [...zookeepers!.keys()].filter((key) => !mine!.has(key)),
        []
      )
      const isWhole = (value: string | undefined) => value !== undefined && /^-?\d+$/.test(value)
      const other = [...zookeepers!].filter(([key, value]) => isWhole(value) && !isWhole(mine!.get(key)))
      assert.deepStrictEqual(other, [])
      assert.strictEqual(mine!.get("peer_state"), zookeepers!.get("peer_state"))
    })

    it(`is served to a Prometheus by a ${role}`, async () => {
      const peer = ours.ports.indexOf(await withRole(ours.ports, role))
      const text = await (await fetch(`http://127.0.0.1:${prometheus + peer}/metrics`)).text()
      const types = new Map([...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, type]) => [name!, type!]))
      const samples = new Set([...text.matchAll(/^(\w+)[{ ]/gm)].map(([, name]) => name!))
      for (const kind of KINDS) {
        const type = kind.startsWith("gauge") ? "gauge" : kind.startsWith("counter") ? "counter" : "summary"
        for (const name of ZOOKEEPERS[kind].filter((one) => isServed(one, role))) {
          assert.strictEqual(types.get(name), type, name)
          assert.isTrue(samples.has(type === "summary" ? `${name}_count` : name), name)
        }
      }
      const behind = [...text.matchAll(/^learner_handler_qp_size_count\{key="(\d+)"\}/gm)].map(([, sid]) => Number(sid))
      const others = [1, 2, 3].filter((sid) => sid !== peer + 1)
      assert.deepStrictEqual(behind.sort(), role === "leader" ? others : [])
      for (const name of words(OF_THE_RUNTIME)) assert.isTrue(types.has(name), name)
      const missing = Object.keys(CATALOGUE).filter((name) => !types.has(name) && isServed(name, role))
      // There is no broker here, and maybe nobody was sent away.
      assert.deepStrictEqual(
        missing.filter((name) => !/^nats_|^connection_drops$/.test(name)),
        []
      )
      const series = [...text.matchAll(/^(\w+(?:\{.*\})?) \S+$/gm)].map(([, one]) => one)
      assert.strictEqual(new Set(series).size, series.length, "no series is there twice")
    })
  }
})

describe("one client's requests", () => {
  it("are counted at every stage that they go through", async () => {
    const [leader, follower] = await Promise.all([withRole(ours.ports, "leader"), withRole(ours.ports, "follower")])
    const look = async () => {
      const [led, followed] = await Promise.all([leader, follower].map((port) => scrape(ours.ports.indexOf(port))))
      return { leader: led!, follower: followed! }
    }
    const before = await look()
    const client = new ZkClient(`127.0.0.1:${follower}`)
    await client.connected()
    for (const name of ["one", "two", "three"]) await client.create(`/stages-${name}`, "x")
    const [, data] = await Promise.all([client.setData("/stages-one", "y"), client.getData("/stages-one")])
    assert.strictEqual(data.data?.toString(), "y")
    await client.close()
    const more = (now: Awaited<ReturnType<typeof look>>) => (where: "leader" | "follower", key: string) =>
      now[where][key]! - before[where][key]!
    // The leader may still be about to apply what the follower has applied.
    const grown = await eventually(
      async () => {
        const by = more(await look())
        const isThere = by("leader", "commit_commit_proc_req_queued_sum") >= 6
        return isThere ? by : undefined
      },
      "the leader to apply six transactions",
      10_000
    )
    // The session's beginning and end, four writes between them.
    for (const where of ["leader", "follower"] as const) {
      assert.strictEqual(grown(where, "sync_processor_request_queued"), 6, where)
      assert.strictEqual(grown(where, "request_commit_queued"), 6, where)
      assert.strictEqual(grown(where, "commit_commit_proc_req_queued_sum"), 6, where)
      assert.strictEqual(grown(where, "write_commit_proc_issued_sum"), 6, where)
    }
    for (const key of ["proposal_count", "commit_count"]) {
      assert.strictEqual(grown("leader", key), 6, key)
      assert.strictEqual(grown("follower", key), 0, `${key} of a follower`)
    }
    for (const key of ["learner_proposal_received_count", "learner_commit_received_count", "proposal_latency_count"]) {
      assert.strictEqual(grown("leader", key), 0, `${key} of the leader`)
      assert.strictEqual(grown("follower", key), 6, key)
    }
    // The session's beginning is nobody's write.
    assert.strictEqual(grown("leader", "server_write_committed_time_ms_count"), 6)
    assert.strictEqual(grown("follower", "server_write_committed_time_ms_count"), 1)
    assert.strictEqual(grown("leader", "prep_processor_request_queued"), 6)
    assert.strictEqual(grown("leader", "prep_processor_queue_time_ms_count"), 6)
    assert.strictEqual(grown("leader", "close_session_prep_time_count"), 1)
    // A creation changes its parent, too.
    assert.strictEqual(grown("leader", "outstanding_changes_queued"), 3 * 2 + 1)
    assert.strictEqual(grown("leader", "outstanding_changes_removed"), 3 * 2 + 1)
    assert.strictEqual(grown("follower", "write_commit_proc_req_queued_sum"), 5)
    assert.strictEqual(grown("follower", "learner_request_processor_queue_size_sum"), 5)
    assert.strictEqual(grown("follower", "write_commitproc_time_ms_count"), 5)
    assert.isAbove(grown("follower", "write_commitproc_time_ms_sum"), 0)
    // The read came right behind the write.
    assert.strictEqual(grown("follower", "reads_issued_from_session_queue_sum"), 1)
    assert.isAtLeast(grown("follower", "read_commit_proc_req_queued_sum"), 1)
    for (const key of ["write_commit_proc_req_queued_sum", "write_commitproc_time_ms_count"]) {
      assert.strictEqual(grown("leader", key), 0, `${key} of the peer that has no client`)
    }
  })
})
