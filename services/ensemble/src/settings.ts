/** From the configuration to what each service is started with. */
import { hostname } from "node:os"
import { type Config, ConfigError, type Server, sessionTimeouts } from "@zkmesh/config"
import type { Sid } from "@zkmesh/numbers"
import type { RestartPolicy } from "./restart.ts"

export interface Members {
  readonly voters: ReadonlyArray<Sid>
  readonly observers: ReadonlyArray<Sid>
}

export const membersOf = (servers: ReadonlyArray<Server>): Members => ({
  voters: servers.filter((server) => server.role === "participant").map((server) => server.sid),
  observers: servers.filter((server) => server.role === "observer").map((server) => server.sid)
})

/** The options of the five services of peer `sid`. */
export const peerSettings = ({ knobs }: Config, sid: Sid, { voters, observers }: Members) => {
  const { tickTime: tickTimeMs, initLimit, syncLimit } = knobs
  const { minMs, maxMs } = sessionTimeouts(knobs)
  return {
    election: {
      sid,
      voters,
      observer: observers.includes(sid),
      minNotificationMs: knobs["fastleader.minNotificationInterval"],
      maxNotificationMs: knobs["fastleader.maxNotificationInterval"],
      finalizeWaitMs: knobs["election.finalizeWaitMs"]
    },
    broadcast: {
      sid,
      voters,
      observers,
      tickTimeMs,
      initLimit,
      syncLimit,
      logRetain: knobs["log.retain"],
      windowBytes: knobs["broadcast.windowBytes"]
    },
    znode: {
      sid,
      snapCount: knobs.snapCount,
      checkpointIntervalMs: knobs["checkpoint.intervalMs"],
      tickTimeMs,
      syncLimit
    },
    session: { sid, tickTimeMs, syncLimit, minSessionTimeoutMs: minMs, maxSessionTimeoutMs: maxMs }
  }
}

export type PeerSettings = ReturnType<typeof peerSettings>

/** What every frontend is started with, wherever it listens. */
export const frontendSettings = ({ knobs }: Config) => ({
  maxClientCnxns: knobs.maxClientCnxns,
  maxFrameBytes: knobs["jute.maxbuffer"],
  fourLetterWords: knobs["4lw.commands.whitelist"].includes("*")
    ? ("*" as const)
    : [...new Set(["srvr", ...knobs["4lw.commands.whitelist"]])]
})

export const restartPolicy = ({ knobs }: Config): RestartPolicy => ({
  minMs: knobs["restart.minMs"],
  maxMs: knobs["restart.maxMs"]
})

/** A name that no other frontend of the ensemble has, as far as this machine can tell. */
export const frontendName = ({ knobs }: Config): string =>
  knobs["frontend.name"] ?? `${hostname()}-${process.pid}`.replaceAll(/[^A-Za-z0-9_-]/g, "-")

/** The peer whose server.N line is `sid`. */
export const serverOf = ({ servers }: Config, sid: Sid): Server => {
  const server = servers.find((one) => one.sid === sid)
  if (server === undefined) {
    const known = servers.map((one) => one.sid).join(", ")
    throw new ConfigError({ key: `server.${sid}`, reason: `the configuration has no such line (it has ${known})` })
  }
  return server
}
