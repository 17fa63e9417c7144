/** The link protocols and topics, by name: who dials whom with what. */
import type { Codec, Protocol, Topic } from "@zkmesh/bus"
import type { BroadcastToZnode, FanOut, LeaderToLearner, LearnerToLeader, ZnodeToBroadcast } from "./broadcast.ts"
import { CorruptMessage, makeCodec } from "./codecs.ts"
import { broadcastToZnode, fanOut, leaderToLearner, learnerToLeader, znodeToBroadcast } from "./codecsBroadcast.ts"
import { frontendToSession, sessionToFrontend } from "./codecsFrontend.ts"
import { prepareToSession, sessionToExpiry, sessionToPrepare } from "./codecsPrepare.ts"
import { sessionToZnode, znodeToSession } from "./codecsStream.ts"
import type { BroadcastToElection, ElectionToBroadcast, Notification } from "./election.ts"
import type { FrontendToSession, SessionToFrontend } from "./frontend.ts"
import type { ExpiryToSession, PrepareToSession, SessionToExpiry, SessionToPrepare } from "./prepare.ts"
import type { SessionToZnode, ZnodeToSession } from "./stream.ts"
import type { TraceMessage } from "./trace.ts"

/** frontend → session. */
export const frontendProtocol: Protocol<FrontendToSession, SessionToFrontend> = {
  name: "frontend",
  up: frontendToSession,
  down: sessionToFrontend
}
/** session → its own peer's znode. */
export const streamProtocol: Protocol<SessionToZnode, ZnodeToSession> = {
  name: "stream",
  up: sessionToZnode,
  down: znodeToSession
}
/** session → the leader's znode. */
export const prepareProtocol: Protocol<SessionToPrepare, PrepareToSession> = {
  name: "prepare",
  up: sessionToPrepare,
  down: prepareToSession
}

const nothing: Codec<never> = {
  encode: (message: never): Uint8Array => message,
  decode: () => {
    throw new CorruptMessage("nothing is ever said in this direction")
  }
}
/** session → the leader's session. */
export const expiryProtocol: Protocol<SessionToExpiry, ExpiryToSession> = {
  name: "expiry",
  up: sessionToExpiry,
  down: nothing
}
/** znode → its own peer's broadcast. */
export const commitProtocol: Protocol<ZnodeToBroadcast, BroadcastToZnode> = {
  name: "commit",
  up: znodeToBroadcast,
  down: broadcastToZnode
}
/** broadcast → its own peer's election. */
export const electionProtocol: Protocol<BroadcastToElection, ElectionToBroadcast> = {
  name: "election",
  up: makeCodec<BroadcastToElection>(),
  down: makeCodec<ElectionToBroadcast>()
}
/** a learner's broadcast → the leader's. */
export const learnerProtocol: Protocol<LearnerToLeader, LeaderToLearner> = {
  name: "learner",
  up: learnerToLeader,
  down: leaderToLearner
}

export const proposalsTopic: Topic<FanOut> = { name: "proposals", codec: fanOut }
export const tracesTopic: Topic<TraceMessage> = { name: "traces", codec: makeCodec<TraceMessage>() }
export const electionTopic: Topic<Notification> = { name: "election", codec: makeCodec<Notification>() }
