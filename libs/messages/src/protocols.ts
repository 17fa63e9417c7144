/** The link protocols and topics, by name: who dials whom with what. */
import type { Protocol, Topic } from "@zkmesh/bus"
import type { BroadcastToZnode, FanOut, LeaderToLearner, LearnerToLeader, ZnodeToBroadcast } from "./broadcast.ts"
import type { BroadcastToElection, ElectionToBroadcast, Notification } from "./election.ts"
import type { FrontendToSession, SessionToFrontend } from "./frontend.ts"
import type { ExpiryToSession, PrepareToSession, SessionToExpiry, SessionToPrepare } from "./prepare.ts"
import type { SessionToZnode, ZnodeToSession } from "./stream.ts"
import { structured } from "./structured.ts"

const protocol = <Up, Down>(name: string): Protocol<Up, Down> => ({
  name,
  up: structured<Up>(),
  down: structured<Down>()
})

/** frontend → session. */
export const frontendProtocol = protocol<FrontendToSession, SessionToFrontend>("frontend")
/** session → its own peer's znode. */
export const streamProtocol = protocol<SessionToZnode, ZnodeToSession>("stream")
/** session → the leader's znode. */
export const prepareProtocol = protocol<SessionToPrepare, PrepareToSession>("prepare")
/** session → the leader's session. */
export const expiryProtocol = protocol<SessionToExpiry, ExpiryToSession>("expiry")
/** znode → its own peer's broadcast. */
export const commitProtocol = protocol<ZnodeToBroadcast, BroadcastToZnode>("commit")
/** broadcast → its own peer's election. */
export const electionProtocol = protocol<BroadcastToElection, ElectionToBroadcast>("election")
/** a learner's broadcast → the leader's. */
export const learnerProtocol = protocol<LearnerToLeader, LeaderToLearner>("learner")

export const proposalsTopic: Topic<FanOut> = { name: "proposals", codec: structured<FanOut>() }
export const electionTopic: Topic<Notification> = { name: "election", codec: structured<Notification>() }
