/** The knobs of the operator's surface: the admin server, metrics, the audit log, what the log keeps. */
import * as Schema from "effect/Schema"
import { count, flag, knob, mapped, maybe, port, positive, text, zookeeper } from "./knob.ts"

const PROVIDERS = "org.apache.zookeeper.metrics"

/** ZooKeeper's classes, and the short names of those that there are here. */
const provider = Schema.Literals([
  "DefaultMetricsProvider",
  `${PROVIDERS}.impl.DefaultMetricsProvider`,
  `${PROVIDERS}.impl.NullMetricsProvider`,
  "PrometheusMetricsProvider",
  `${PROVIDERS}.prometheus.PrometheusMetricsProvider`
])

const path = Schema.String.check(Schema.isPattern(/^\/[\w/-]*\w$/, { expected: "a path like /commands" }))

const LOCAL = "127.0.0.1 in the ensemble placement, else all"

const admin = {
  "admin.enableServer": knob(flag, "true", zookeeper("true or false", "HTTP for operators: commands and health")),
  "admin.serverAddress": maybe(text, { ...zookeeper("address", "where it listens"), otherwise: LOCAL }),
  "admin.serverPort": knob(
    port,
    "8080",
    zookeeper("port", "where it listens; the first of them in the ensemble placement. One that is taken is warned of")
  ),
  "admin.portUnification": knob(
    flag,
    "false",
    zookeeper("true or false", "it takes HTTPS as well as HTTP, by the stores of ssl.quorum")
  ),
  "admin.forceHttps": knob(flag, "false", zookeeper("true or false", "it takes HTTPS alone")),
  "admin.needClientAuth": knob(
    flag,
    "false",
    zookeeper("true or false", "HTTPS clients have to prove who they are by a certificate")
  ),
  "admin.commandURL": knob(path, "/commands", zookeeper("path", "what the commands are below")),
  "admin.idleTimeout": knob(count, "30000", zookeeper("ms", "how long a connection without a request stays open")),
  "admin.snapshot.enabled": knob(flag, "true", zookeeper("true or false", "the command snapshot is answered")),
  "admin.restore.enabled": knob(flag, "true", zookeeper("true or false", "the command restore is answered")),
  "IPAuthenticationProvider.usexforwardedfor": knob(
    flag,
    "false",
    zookeeper(
      "true or false",
      "who asks by HTTP comes from where X-Forwarded-For says: only behind a proxy that sets it"
    )
  ),
  "admin.rateLimiterIntervalInMS": knob(
    count,
    "300000",
    zookeeper("ms", "between two snapshots or two restores at least")
  )
}

const metrics = {
  "metricsProvider.className": knob(
    provider,
    "DefaultMetricsProvider",
    zookeeper("class", "PrometheusMetricsProvider: metrics are served at metricsProvider.httpPort, path /metrics")
  ),
  "metricsProvider.httpHost": maybe(text, { ...zookeeper("address", "where they are served"), otherwise: LOCAL }),
  "metricsProvider.httpPort": knob(
    port,
    "7000",
    zookeeper("port", "where they are served; the first of them in the ensemble placement")
  ),
  "metricsProvider.exportJvmInfo": knob(
    flag,
    "true",
    mapped("true or false", "with Node's heap, event loop and garbage collector, under Java's names too")
  )
}

const pauses = {
  "jvm.pause.monitor": knob(
    flag,
    "false",
    mapped("true or false", "stalls of the process are written to the log (they are measured in any case)")
  ),
  "jvm.pause.sleep.time.ms": knob(positive, "500", mapped("ms", "how often it looks whether it has stood still")),
  "jvm.pause.info-threshold.ms": knob(count, "1000", zookeeper("ms", "a longer stall is told of")),
  "jvm.pause.warn-threshold.ms": knob(count, "10000", zookeeper("ms", "a longer one is warned of"))
}

export const operatorKnobs = {
  ...admin,
  ...metrics,
  ...pauses,
  "audit.enable": knob(flag, "false", zookeeper("true or false", "who did what is written to the log")),
  "fsync.warningthresholdms": knob(
    positive,
    "1000",
    zookeeper("ms", "a commit of the log that takes longer is warned of")
  ),
  "autopurge.purgeInterval": knob(
    count,
    "1",
    mapped("hours", "0: the log is kept for ever; else what is older than log.retain goes behind each checkpoint")
  )
}
