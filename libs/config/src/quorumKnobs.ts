/** The knobs of a leader and its learners: whom a leader serves, and how learners find it and come up to date. */
import * as Schema from "effect/Schema"
import { count, flag, INT, knob, mapped, maybe, positive, whole, zookeeper } from "./knob.ts"

export const quorumKnobs = {
  leaderServes: knob(
    Schema.Literals(["yes", "no"]),
    "yes",
    zookeeper("choice", "no: while a peer leads, clients of its ports are served by others, as long as there are any")
  ),
  forceSnapshotSync: knob(
    flag,
    "false",
    mapped(
      "true or false",
      "learners are given the leader's checkpoint, then the log behind it, even where the log alone would do; but for those that have more than it has"
    )
  ),
  "leader.maxConcurrentSnapSyncs": knob(
    positive,
    "10",
    zookeeper("learners", "that a leader gives its checkpoint at a time, above which observers wait for their turn")
  ),
  "leader.maxConcurrentDiffSyncs": knob(
    positive,
    "100",
    zookeeper("learners", "that it gives what they lack of its log, likewise")
  ),
  "leader.maxTimeToWaitForEpoch": knob(
    whole(-1, INT),
    "-1",
    mapped(
      "ms",
      "how long a new leader waits for the epochs that a quorum has accepted; -1 or 0: while a quorum is connected, else a tick"
    )
  ),
  leaderConnectDelayDuringRetryMs: knob(
    count,
    "0",
    mapped("ms", "pause before a learner that has not reached its leader tries again (ZooKeeper's default: 100)")
  ),
  syncEnabled: knob(
    flag,
    "true",
    zookeeper(
      "true or false",
      "false: observers keep log and tree in memory alone, and are given everything anew when they start; not where reconfigEnabled lets them come to vote"
    )
  ),
  "observer.syncEnabled": maybe(flag, {
    ...zookeeper("true or false", "the same, and stronger"),
    otherwise: "as syncEnabled"
  }),
  "db.autocreate": knob(
    flag,
    "true",
    zookeeper(
      "true or false",
      "false: a server whose database is empty has no vote until the others have given it everything, unless there is a file initialize in its dataDir"
    )
  ),
  "observer.election.DelayMs": knob(
    count,
    "0",
    mapped(
      "ms",
      "an observer that has lost its leader waits for up to as long, by chance, before it looks for one (ZooKeeper's default: 200)"
    )
  ),
  "observer.reconnectDelayMs": knob(
    count,
    "0",
    zookeeper("ms", "the same before it connects to the one that it has found")
  )
}
