/** Who leads, for the simulation: the real election core, or an oracle that may be as wrong as it likes. */
import { type ElectionOutput, FastLeaderElection } from "@zkmesh/election"
import type { BroadcastToElection, Notification } from "@zkmesh/messages"
import type { Sid } from "@zkmesh/numbers"

export interface Elector {
  readonly tell: (message: BroadcastToElection) => void
  readonly hear: (notification: Notification) => void
}

export interface ElectorHost {
  readonly sid: Sid
  readonly voters: ReadonlyArray<Sid>
  readonly now: () => number
  /** Runs unless the peer has crashed meanwhile. */
  readonly after: (ms: number, run: () => void) => void
  readonly broadcast: (notification: Notification) => void
  readonly elected: (leader: Sid, round: number) => void
  /** Somebody knows of a newer configuration. */
  readonly newer: (configuration: string) => void
}

export const realElector = (host: ElectorHost): Elector => {
  const core = new FastLeaderElection({
    sid: host.sid,
    voters: host.voters,
    observer: !host.voters.includes(host.sid),
    minNotificationMs: 50,
    maxNotificationMs: 400,
    finalizeWaitMs: 10
  })
  let timer = 0
  const carryOut = (outputs: ReadonlyArray<ElectionOutput>): void => {
    for (const output of outputs) {
      if (output._tag === "Send") host.broadcast(output.notification)
      else if (output._tag === "Elected") host.elected(output.leader, output.round)
      else if (output._tag === "Newer") host.newer(output.configuration)
      else if (output.at === undefined) timer++
      else {
        const mine = ++timer
        host.after(output.at - host.now(), () => {
          if (mine === timer) carryOut(core.step({ _tag: "Tick", now: host.now() }))
        })
      }
    }
  }
  return {
    tell: (message) => carryOut(core.step(message._tag === "Stop" ? message : { ...message, now: host.now() })),
    hear: (notification) => carryOut(core.step({ _tag: "Heard", now: host.now(), notification }))
  }
}

/** Answers each Look, some time later, with whatever `choose` says; undefined: asks again. */
export const oracle = (
  host: ElectorHost,
  choose: () => Sid | undefined,
  delay: () => number,
  configuration: () => string | undefined
): Elector => {
  let asked = 0
  const answer = (mine: number): void => {
    host.after(delay(), () => {
      if (mine !== asked) return
      const newest = configuration()
      if (newest !== undefined) host.newer(newest)
      const leader = choose()
      if (leader === undefined) answer(mine)
      else host.elected(leader, mine)
    })
  }
  return {
    tell: (message) => {
      asked++
      if (message._tag === "Look") answer(asked)
    },
    hear: () => {}
  }
}
