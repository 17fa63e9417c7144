/** The product's own services, as the simulator puts them on its stage. */
import { runBroadcast } from "@zkmesh/service-broadcast"
import { runElection } from "@zkmesh/service-election"
import { settingAside } from "@zkmesh/service-ensemble/setAside"
import { makeFrontend } from "@zkmesh/service-frontend"
import { runSession } from "@zkmesh/service-session"
import { runZnode } from "@zkmesh/service-znode"
import { type Cast, TIMES } from "@zkmesh/simulator"
import { Effect } from "effect"

/** Where the seed has picked this log, leaders do not serve, and learners get snapshots whether they need them or not. */
const isUnusual = (logRetain: number): boolean => logRetain === 30

export const cast: Cast = {
  service: (service, { sid, voters, observers, snapCount, logRetain, configuration }) => {
    const reconfigEnabled = configuration !== undefined
    const { tickTimeMs, initLimit, syncLimit, minSessionTimeoutMs, maxSessionTimeoutMs } = TIMES
    switch (service) {
      case "election":
        return runElection({
          sid,
          voters,
          configuration,
          observer: observers.includes(sid),
          minNotificationMs: 50,
          maxNotificationMs: 400,
          finalizeWaitMs: 20
        })
      case "broadcast":
        return runBroadcast({
          sid,
          voters,
          observers,
          configuration,
          reconfigEnabled,
          tickTimeMs,
          initLimit,
          syncLimit,
          logRetain,
          forceSnapshotSync: isUnusual(logRetain),
          // So small that it fills up, and learners are brought up to date from the log and by snapshots.
          windowBytes: 4096
        })
      case "znode":
        return runZnode({
          sid,
          snapCount,
          // Only the superuser may reconfigure, and clients here are nobody.
          skipAcl: reconfigEnabled,
          reconfigEnabled,
          ...(reconfigEnabled ? { configText: configuration } : {}),
          checkpointIntervalMs: 2000,
          tickTimeMs,
          syncLimit,
          digestEvery: 8,
          recentReplyBytes: 16 * 1024
        })
      case "session":
        return runSession({
          sid,
          tickTimeMs,
          syncLimit,
          minSessionTimeoutMs,
          maxSessionTimeoutMs,
          leaderServes: !isUnusual(logRetain)
        })
    }
  },
  mend: (member, store, cause) => settingAside(member, store)(cause),
  frontend: (name, peers) =>
    Effect.map(
      makeFrontend({
        name,
        peers,
        host: "127.0.0.1",
        port: 0,
        maxClientCnxns: 0,
        maxFrameBytes: 1024 * 1024,
        fourLetterWords: [],
        linkLimitMs: 1000
      }),
      (frontend) => ({ enter: (socket) => void frontend.door.server.emit("connection", socket) })
    )
}
