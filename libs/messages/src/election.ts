/** election's neighbours: its own peer's broadcast (which dials it), and the other elections by the topic `election`. */
import type { Sid, Zxid } from "@zkmesh/numbers"
import type { Role } from "./common.ts"
import type { TraceContext } from "./trace.ts"

export interface Vote {
  readonly leader: Sid
  /** The proposed leader's last logged zxid. */
  readonly zxid: Zxid
  /** The proposed leader's current epoch. */
  readonly peerEpoch: number
}

/** FastLeaderElection's notification. Loss and repetition do no harm. */
export interface Notification extends Vote {
  readonly _tag: "Notification"
  readonly from: Sid
  /** 0: to every voter; else a reply to this one only. */
  readonly to: Sid
  readonly state: Role
  /** The sender's election round (the logical clock). */
  readonly round: number
  /** The text of the sender's committed configuration, if it has been agreed on (its version is not 0). */
  readonly configuration?: string | undefined
  /** The text of a configuration that is in the sender's log and not known to be committed. */
  readonly proposed?: string | undefined
}

export type BroadcastToElection =
  /** Who votes from now on: the committed configuration's text, and that of one which is not known to be committed. */
  | { readonly _tag: "Members"; readonly committed: string; readonly proposed: string | undefined }
  /** Looking for a leader, with this to offer; `voteless`: to follow only, without a vote for anybody. */
  | { readonly _tag: "Look"; readonly zxid: Zxid; readonly currentEpoch: number; readonly voteless?: true }
  /**
   * Whatever this peer was, it is that no more, and it cannot offer anything yet (its disk is not done, say): nothing may
   * be said in its name until it looks, or others would go on joining a leader that leads no more.
   */
  | { readonly _tag: "Stop" }
  /** `leader` is established in `epoch`: later joiners are told so. Also to an election that has been started anew. */
  | { readonly _tag: "Settled"; readonly role: Role; readonly epoch: number; readonly leader: Sid }

export type ElectionToBroadcast =
  | {
      readonly _tag: "Elected"
      readonly leader: Sid
      readonly round: number
      readonly trace?: TraceContext | undefined
    }
  /** Another peer knows of a newer configuration that is committed: this is its text. */
  | { readonly _tag: "Newer"; readonly configuration: string }
