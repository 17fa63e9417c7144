/** What the shell is told: by its links, its store, its clock. */
import type { LinkEvent } from "@zkmesh/bus"
import type {
  BroadcastToElection,
  BroadcastToZnode,
  ElectionToBroadcast,
  FanOut,
  LeaderToLearner,
  LearnerToLeader,
  ZnodeToBroadcast
} from "@zkmesh/messages"
import type { StoreSizes } from "@zkmesh/store"
import type { LinkId } from "@zkmesh/zab"
import type { LaneMessage } from "./Lanes.ts"

export type ElectionEvent = LinkEvent<ElectionToBroadcast, BroadcastToElection>
export type LearnerEvent = LinkEvent<LearnerToLeader, LeaderToLearner>
export type LeaderEvent = LinkEvent<LeaderToLearner, LearnerToLeader>
export type ZnodeEvent = LinkEvent<ZnodeToBroadcast, BroadcastToZnode>

export type Message =
  | LaneMessage
  | { readonly _tag: "FanOut"; readonly message: FanOut }
  | { readonly _tag: "Learner"; readonly event: LearnerEvent }
  | { readonly _tag: "Leader"; readonly id: LinkId; readonly event: LeaderEvent }
  | { readonly _tag: "Znode"; readonly event: ZnodeEvent }
  | { readonly _tag: "Election"; readonly event: ElectionEvent }
  | { readonly _tag: "RedialElection" }
  | { readonly _tag: "FanOutLost" }
  | { readonly _tag: "Tick" }
  | { readonly _tag: "Lingered" }
  | { readonly _tag: "Report" }
  | { readonly _tag: "Sized"; readonly sizes: StoreSizes }
