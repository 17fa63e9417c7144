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

type Message = {
  readonly _tag: string
}

interface Said {
  readonly at: number
  readonly from: string
  readonly to: string
  readonly what: string | Message
}

interface Count {
  value: number
}

const KEPT = 3000
const sidOf = (address: string): number => Number(address.slice(address.indexOf(".") + 1))

export class Observer {
  /** How often each kind of message, event, state and fault has been seen. */
  private readonly counts = new Map<string, Map<string, Count>>()
  /** A digest of everything that has happened, in its order. */
  digest = 0x811c_9dc5
  /** What has been said last; only put into words when somebody wants to read it. */
  private said: Array<Said> = []
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

  get coverage(): ReadonlyMap<string, number> {
    const coverage = new Map<string, number>()
    for (const [group, counts] of this.counts) {
      for (const [what, { value }] of counts) coverage.set(`${group}: ${what}`, value)
    }
    return coverage
  }

  /** What has been said last. */
  get story(): ReadonlyArray<Told> {
    return this.said.map(({ at, from, to, what }) => ({
      at,
      from,
      to,
      text: typeof what === "string" ? what : sayOf(what)
    }))
  }

  count(group: string, what: string): void {
    let counts = this.counts.get(group)
    if (counts === undefined) {
      counts = new Map()
      this.counts.set(group, counts)
    }
    const count = counts.get(what)
    if (count === undefined) counts.set(what, { value: 1 })
    else count.value++
  }

  /** Something has happened: part of the digest and of the story. */
  tell(from: string, to: string, what: string | Message): void {
    const at = this.timeline.now
    this.mix(from)
    this.mix(to)
    if (typeof what === "string") this.mix(what)
    else this.mixMessage(what)
    this.mixNumber(Math.round(at * 1000))
    this.said.push({ at, from, to, what })
    if (this.said.length > 2 * KEPT) this.said = this.said.slice(-KEPT)
  }

  heard({ local, remote, protocol, event, messages, detail }: Heard): void {
    if (event !== "Received") {
      this.count(protocol, event === "Broken" ? `broken, ${detail.slice(0, detail.indexOf(":"))}` : "opened")
      this.tell(remote, local, event === "Broken" ? `link broken, ${detail}` : "link opened")
      return
    }
    for (const message of messages) {
      this.count(protocol, message._tag)
      this.tell(remote, local, message)
      this.check(local, remote, protocol, message)
    }
  }

  published(topic: string, message: { readonly _tag: string }): void {
    this.count(topic, message._tag)
    if (topic === "proposals") {
      const fanOut = message as FanOut
      this.tell(`broadcast.${fanOut.leader}`, "everybody", fanOut)
      this.zab.published(fanOut)
    } else this.tell(`election.${(message as { from?: number }).from ?? 0}`, "everybody", message)
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
      this.count("session", "carried")
      this.audience.carried(sessionId)
    } else if (protocol === "learner" && message._tag === "LeaderInfo") {
      const { epoch } = message as unknown as { epoch: number }
      if (epoch <= this.newestEpoch) return
      this.newestEpoch = epoch
      this.audience.newEpoch()
    } else if (protocol === "stream" && message._tag === "Role") {
      const { role } = message as unknown as { role: string }
      this.count("role", role)
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
      this.count("session", "expired")
      this.expiry.expires(session, sid, now)
    }
  }

  private mix(text: string): void {
    let { digest } = this
    for (let index = 0; index < text.length; index++) digest = Math.imul(digest ^ text.charCodeAt(index), 0x0100_0193)
    this.digest = digest >>> 0
  }

  /** Both halves: zxids are longer than 32 bits. */
  private mixNumber(value: number): void {
    const mixed = Math.imul(this.digest ^ value, 0x0100_0193)
    this.digest = Math.imul(mixed ^ Math.floor(value / 2 ** 32), 0x0100_0193) >>> 0
  }

  /** Just what `sayOf` says of it, without the words. */
  private mixMessage(message: Message): void {
    this.mix(message._tag)
    const fields = message as Readonly<Record<string, unknown>>
    for (let index = 0; index < TOLD.length; index++) {
      const value = fields[TOLD[index]!]
      if (value === undefined) continue
      if (typeof value === "number") this.mixNumber(value + index)
      else if (typeof value !== "object") this.mix(String(value))
    }
    const batch = fields["batch"] as { first: number; last: number } | undefined
    if (batch !== undefined) {
      this.mixNumber(batch.first)
      this.mixNumber(batch.last)
    }
    const requests = fields["requests"] as ReadonlyArray<unknown> | undefined
    if (requests !== undefined) this.mixNumber(requests.length)
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
const TOLD = [...SHOWN, ...ZXIDS]

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
