/** Looks at everything that is said, for the checks, the coverage, the digest of the run and the last pages of its story. */
import type { BroadcastToZnode, FanOut, SessionToExpiry, SessionToPrepare, ZnodeToBroadcast } from "@zkmesh/messages"
import { OpCode } from "@zkmesh/protocol"
import type { ExpiryChecks } from "./checks/expiry.ts"
import type { ZabChecks } from "./checks/zab.ts"
import type { Heard } from "./network/tap.ts"
import type { Timeline } from "./virtual/timeline.ts"

export interface Told {
  readonly at: number
  readonly from: string
  readonly to: string
  readonly text: string
}

/** Who wants to know of some of it. */
export interface Audience {
  /** A frontend has gone on with this session at another peer. */
  readonly carried: (session: number) => void
  /** A leader has told the first of its learners of its epoch. */
  readonly newEpoch: () => void
}

const KEPT = 3000
const sidOf = (address: string): number => Number(address.slice(address.indexOf(".") + 1))

export class Observer {
  /** How often each kind of message, event, state and fault has been seen. */
  readonly coverage = new Map<string, number>()
  /** A digest of everything that has happened, in its order. */
  digest = 0x811c_9dc5
  /** What has been said last. */
  story: Array<Told> = []
  private readonly timeline: Timeline
  private readonly zab: ZabChecks
  private readonly expiry: ExpiryChecks

  private readonly audience: Audience
  private newestEpoch = 0

  constructor(timeline: Timeline, zab: ZabChecks, expiry: ExpiryChecks, audience: Audience) {
    this.audience = audience
    this.timeline = timeline
    this.zab = zab
    this.expiry = expiry
  }

  count(what: string): void {
    this.coverage.set(what, (this.coverage.get(what) ?? 0) + 1)
  }

  /** Something has happened: part of the digest and of the story. */
  tell(from: string, to: string, text: string): void {
    const at = this.timeline.now
    this.mix(from)
    this.mix(to)
    this.mix(text)
    this.digest = Math.imul(this.digest ^ Math.round(at * 1000), 0x0100_0193) >>> 0
    this.story.push({ at, from, to, text })
    if (this.story.length > 2 * KEPT) this.story = this.story.slice(-KEPT)
  }

  heard({ local, remote, protocol, event, messages, detail }: Heard): void {
    if (event !== "Received") {
      this.count(
        event === "Broken" ? `${protocol}: broken, ${detail.slice(0, detail.indexOf(":"))}` : `${protocol}: opened`
      )
      this.tell(remote, local, event === "Broken" ? `link broken, ${detail}` : "link opened")
      return
    }
    for (const message of messages) {
      this.count(`${protocol}: ${message._tag}`)
      this.tell(remote, local, sayOf(message))
      this.check(local, remote, protocol, message)
    }
  }

  published(topic: string, message: { readonly _tag: string }): void {
    this.count(`${topic}: ${message._tag}`)
    if (topic === "proposals") {
      const fanOut = message as FanOut
      this.tell(`broadcast.${fanOut.leader}`, "everybody", sayOf(fanOut))
      this.zab.published(fanOut)
    } else this.tell(`election.${(message as { from?: number }).from ?? 0}`, "everybody", sayOf(message))
  }

  private check(local: string, remote: string, protocol: string, message: { readonly _tag: string }): void {
    if (protocol === "commit") {
      if (local.startsWith("znode.")) this.zab.toZnode(sidOf(local), message as BroadcastToZnode)
      else this.zab.fromZnode(sidOf(local), message as ZnodeToBroadcast)
      return
    }
    const now = this.timeline.now
    if (protocol === "frontend" && message._tag === "Connected") {
      const { sessionId, logged } = message as { _tag: "Connected"; sessionId?: number; logged?: number }
      if (logged === undefined || sessionId === undefined) return
      this.count("session: carried")
      this.audience.carried(sessionId)
    } else if (protocol === "learner" && message._tag === "LeaderInfo") {
      const { epoch } = message as unknown as { epoch: number }
      if (epoch <= this.newestEpoch) return
      this.newestEpoch = epoch
      this.audience.newEpoch()
    } else if (protocol === "stream" && message._tag === "Role") {
      const { role } = message as unknown as { role: string }
      this.count(`role: ${role}`)
      if (role === "leading") this.expiry.established(sidOf(local), now)
    } else if (protocol === "stream" && message._tag === "Applied") {
      this.sessions(sidOf(local), message as never, now)
    } else if (protocol === "expiry") {
      for (const session of (message as SessionToExpiry).sessions) this.expiry.touched(sidOf(local), session, now)
    } else if (protocol === "prepare" && message._tag === "Writes") {
      this.expirations(message as Extract<SessionToPrepare, { _tag: "Writes" }>, sidOf(remote), now)
    }
  }

  private sessions(
    sid: number,
    { txns }: { txns: ReadonlyArray<{ sessionChange?: SessionChange | undefined }> },
    now: number
  ): void {
    for (const { sessionChange } of txns) {
      if (sessionChange === undefined || sessionChange.record === undefined) continue
      this.expiry.opened(sid, sessionChange.record.id, sessionChange.record.timeoutMs, now)
    }
  }

  private expirations({ requests }: Extract<SessionToPrepare, { _tag: "Writes" }>, sid: number, now: number): void {
    for (const { op, session, seq } of requests) {
      if (op !== OpCode.closeSession || seq !== 0) continue
      this.count("session: expired")
      this.expiry.expires(session, sid, now)
    }
  }

  private mix(text: string): void {
    let { digest } = this
    for (let index = 0; index < text.length; index++) digest = Math.imul(digest ^ text.charCodeAt(index), 0x0100_0193)
    this.digest = digest >>> 0
  }
}

interface SessionChange {
  readonly kind: string
  readonly record?: { readonly id: number; readonly timeoutMs: number }
}

const SHOWN = [
  "reason",
  "sid",
  "leader",
  "role",
  "state",
  "round",
  "epoch",
  "acceptedEpoch",
  "currentEpoch",
  "counts",
  "last"
]
const ZXIDS = ["zxid", "previous", "after", "lastZxid", "committed", "applied"]

/** A message in a line: its name and what is worth knowing of it. */
export const sayOf = (message: { readonly _tag: string }): string => {
  const fields = message as Readonly<Record<string, unknown>>
  let text = message._tag
  for (const field of SHOWN) {
    const value = fields[field]
    if (value !== undefined && typeof value !== "object") text += ` ${field}=${String(value)}`
  }
  for (const field of ZXIDS) {
    const value = fields[field]
    if (typeof value === "number") text += ` ${field}=${short(value)}`
  }
  const batch = fields["batch"] as { first: number; last: number } | undefined
  if (batch !== undefined) text += ` ${short(batch.first)}…${short(batch.last)}`
  const requests = fields["requests"] as ReadonlyArray<unknown> | undefined
  if (requests !== undefined) text += ` ${requests.length}`
  return text
}

const short = (zxid: number): string => `${Math.floor(zxid / 2 ** 32)}.${zxid % 2 ** 32}`
