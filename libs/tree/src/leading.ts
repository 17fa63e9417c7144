/**
 * The leader's side: requests from every peer's session service, turned into proposals.
 *
 * A session service may hear of a new leader before the leader's own znode does: its link then waits for its epoch. A
 * link for an epoch that is over, or that this peer does not lead, is broken, and its asker finds the right one.
 */
import type {
  PrepareToSession,
  RoleChange,
  SessionToPrepare,
  TraceContext,
  TracedTxn,
  WriteRequest,
  ZnodeToBroadcast
} from "@zkmesh/messages"
import type { Sid, Zxid } from "@zkmesh/numbers"
import { OpCode } from "@zkmesh/protocol"
import type { LinkId, ZnodeOptions } from "./input.ts"
import { type OpenRequest, Preparer, type Verdict } from "./prepare.ts"
import type { Tree } from "./tree.ts"

/** A batch is closed once it has this size: what carries it has limits. */
const MAX_BATCH_BYTES = 1024 * 1024
/** Requests that may wait, for the window to open or for an epoch to begin. */
const MAX_WAITING = 200_000

interface Asker {
  /** 0: it has not said yet. */
  epoch: number
  peer: Sid
  /** Messages that came before they could be prepared. */
  waiting: Array<SessionToPrepare>
  requests: number
  outbox: Array<PrepareToSession>
}

const sizeOf = (message: SessionToPrepare): number => (message._tag === "Writes" ? message.requests.length : 1)

const reject = (asker: Asker, { token, session }: OpenRequest, reason: "ahead" | "expired" | "moved"): void =>
  void asker.outbox.push({ _tag: "Rejected", token, session, connection: 0, seq: 0, reason })

export class Leading {
  private readonly options: ZnodeOptions
  private preparer: Preparer
  private readonly askers = new Map<LinkId, Asker>()
  private breaks: Array<{ readonly link: LinkId; readonly detail: string }> = []
  private proposals: Array<ZnodeToBroadcast> = []
  /** What is sampled of the batch under way. */
  private traces: Array<TracedTxn> | undefined
  /** Who wants to attach to a session whose end is on its way through the log. */
  private closing: Array<{ readonly asker: Asker; readonly request: OpenRequest; readonly at: Zxid }> = []
  /** Proposed, not applied yet. */
  private inFlight: Array<{ readonly last: Zxid; readonly bytes: number }> = []
  private inFlightBytes = 0
  /** The other peer whose clients wait for what is being prepared; 0: nobody's, undefined: several. */
  private waiter: Sid | undefined = 0
  private role: RoleChange
  private nextSweepMs = 0
  /** A restore stands alone: who waits for all that is in flight to be applied, or the zxid of the one in flight. */
  private alone: { readonly asker: LinkId } | { readonly at: Zxid } | undefined
  /** Counts for an operator. */
  readonly counters = { requests: 0, rejected: 0, lastBatch: 0, minBatch: 0, maxBatch: 0, swept: 0 }

  constructor(options: ZnodeOptions, tree: Tree, role: RoleChange) {
    this.options = options
    this.preparer = new Preparer(tree, options)
    this.role = role
  }

  get isLeading(): boolean {
    return this.role.role === "leading"
  }

  get changes(): { readonly noted: number; readonly forgotten: number } {
    return this.preparer.changes
  }

  /** Ends of sessions that have been prepared so far. */
  get closes(): number {
    return this.preparer.closes
  }

  get pathsInFlight(): number {
    return this.preparer.inFlight
  }

  get bytesInFlight(): number {
    return this.inFlightBytes
  }

  replace(tree: Tree): void {
    this.preparer = new Preparer(tree, this.options)
    this.forgetInFlight()
  }

  private forgetInFlight(): void {
    this.inFlight = []
    this.inFlightBytes = 0
    this.proposals = []
    this.traces = undefined
    this.closing = []
    this.alone = undefined
  }

  opened(link: LinkId): void {
    this.askers.set(link, { epoch: 0, peer: 0, waiting: [], requests: 0, outbox: [] })
  }

  /** Those who had to wait for it go on with the next message, or the next tick. */
  broken(link: LinkId): void {
    this.askers.delete(link)
    this.letGo(link)
  }

  private letGo(link: LinkId): void {
    if (this.alone !== undefined && "asker" in this.alone && this.alone.asker === link) this.alone = undefined
  }

  /** Who is connected and up to date: a new ensemble needs a quorum of these. */
  upToDate(sids: ReadonlyArray<Sid>): void {
    this.preparer.reconfiguring.upToDate(sids)
  }

  /** All links, which are to be broken. */
  clear(): ReadonlyArray<LinkId> {
    const links = [...this.askers.keys()]
    this.askers.clear()
    this.alone = undefined
    return links
  }

  private break(link: LinkId, detail: string): void {
    this.letGo(link)
    if (this.askers.delete(link)) this.breaks.push({ link, detail })
  }

  /** Everything that the role's epoch began with has been applied. */
  become(role: RoleChange, nowMs: number, wallMs: number): void {
    // To hear it twice changes nothing: what is in flight stays in flight.
    if (role.role === "leading" && this.isLeading && role.epoch === this.role.epoch) return
    this.role = role
    this.preparer.stop()
    this.forgetInFlight()
    if (role.role === "leading") {
      this.preparer.lead(role.epoch)
      this.nextSweepMs = nowMs + this.options.containerCheckIntervalMs
    }
    for (const [link, asker] of this.askers) if (asker.epoch > 0) this.settle(link, asker)
    this.goOn(wallMs)
  }

  /** Whether the asker is at the right place, once it has said which epoch it means. */
  private settle(link: LinkId, asker: Asker): void {
    const { role, epoch } = this.role
    if (asker.epoch > epoch || (asker.epoch === epoch && role === "leading")) return
    this.break(link, `no longer epoch ${asker.epoch}: ${role} in ${epoch}`)
  }

  received(link: LinkId, messages: ReadonlyArray<SessionToPrepare>, wallMs: number): void {
    const asker = this.askers.get(link)
    if (asker === undefined) return
    for (const message of messages) {
      if (message._tag === "Hello") {
        asker.epoch = message.epoch
        asker.peer = message.peer
        this.settle(link, asker)
      } else if (this.mayPrepare(link, asker) && asker.waiting.length === 0) {
        const rest = this.handle(link, asker, message, wallMs)
        if (rest !== undefined) this.wait(link, asker, rest)
      } else this.wait(link, asker, message)
      if (!this.askers.has(link)) return
    }
  }

  private mayPrepare(link: LinkId, asker: Asker): boolean {
    const isTurn = this.isLeading && asker.epoch === this.role.epoch && this.hasRoom()
    return isTurn && (this.alone === undefined || this.isAlone(link))
  }

  /** Whether it is the link's turn to restore: only its own, and only once everything else is done. */
  private isAlone(link: LinkId): boolean {
    return "asker" in this.alone! && this.alone.asker === link && this.isIdle()
  }

  private isIdle(): boolean {
    return this.inFlight.length === 0 && this.preparer.pendingBytes === 0
  }

  private hasRoom(): boolean {
    return this.inFlightBytes + this.preparer.pendingBytes < this.options.proposalWindowBytes
  }

  private wait(link: LinkId, asker: Asker, message: SessionToPrepare): void {
    asker.waiting.push(message)
    asker.requests += sizeOf(message)
    if (asker.requests > MAX_WAITING) this.break(link, `${asker.requests} requests are waiting`)
  }

  /** Returns what has to wait for the requests before it, or for the restore that it follows. */
  private handle(link: LinkId, asker: Asker, message: SessionToPrepare, wallMs: number): SessionToPrepare | undefined {
    if (message._tag === "Hello") return undefined
    if (message._tag === "Open") {
      this.waitedForBy(asker.peer)
      const verdict = this.preparer.open(message, wallMs)
      if (message.trace !== undefined && verdict === "prepared") this.noteTrace(message.trace)
      this.verdictOnOpen(link, asker, message, verdict)
      return undefined
    }
    const { requests } = message
    for (let i = 0; i < requests.length; i++) {
      const request = requests[i]!
      if (request.op === OpCode.restore) {
        const rest = requests.slice(this.restore(link, asker, request, wallMs) ? i + 1 : i)
        return rest.length === 0 ? undefined : { _tag: "Writes", requests: rest }
      }
      this.waitedForBy(asker.peer)
      const isReconfig = request.op === OpCode.reconfig
      // Whoever takes it into its log finds it without looking at every transaction: it travels alone.
      if (isReconfig) this.propose()
      const verdict = this.preparer.prepare(request, wallMs)
      if (verdict !== "prepared") this.verdictOnWrite(link, asker, request, verdict)
      else if (request.trace !== undefined) this.noteTrace(request.trace)
      if (!this.askers.has(link)) return undefined
      if (isReconfig || this.preparer.pendingBytes >= MAX_BATCH_BYTES) this.propose()
    }
    return undefined
  }

  /** False if it is not its turn yet: nobody else has one before it. */
  private restore(link: LinkId, asker: Asker, request: WriteRequest, wallMs: number): boolean {
    if (!this.isIdle()) {
      this.propose()
      this.alone = { asker: link }
      return false
    }
    this.waitedForBy(asker.peer)
    const verdict = this.preparer.prepare(request, wallMs)
    if (verdict === "prepared") this.alone = { at: this.preparer.last }
    else {
      this.alone = undefined
      this.verdictOnWrite(link, asker, request, verdict)
    }
    this.propose()
    return true
  }

  private waitedForBy(peer: Sid): void {
    if (peer !== this.options.sid && this.waiter !== peer) this.waiter = this.waiter === 0 ? peer : undefined
  }

  /** The transaction prepared last is a sampled one. */
  private noteTrace(trace: TraceContext): void {
    this.traces ??= []
    this.traces.push({ zxid: this.preparer.last, trace })
  }

  private verdictOnOpen(link: LinkId, asker: Asker, request: OpenRequest, verdict: Verdict): void {
    if (verdict === "exhausted") this.break(link, "the epoch has no zxids left")
    else if (verdict === "expired") {
      const at = this.preparer.closingAt(request.session)
      if (at === undefined) reject(asker, request, verdict)
      else this.closing.push({ asker, request, at })
    } else if (verdict === "ahead" || verdict === "moved") reject(asker, request, verdict)
  }

  /** Only an end that is committed is told: a leader that is about to be none may have closed sessions in vain. */
  private tellClosed(zxid: Zxid): void {
    for (const { asker, request, at } of this.closing) if (at <= zxid) reject(asker, request, "expired")
    this.closing = this.closing.filter(({ at }) => at > zxid)
  }

  private verdictOnWrite(link: LinkId, asker: Asker, request: WriteRequest, verdict: Verdict): void {
    const { session, connection, seq } = request
    if (verdict === "gap") this.break(link, `request ${seq} of session ${session} came too early`)
    else if (verdict === "exhausted") this.break(link, "the epoch has no zxids left")
    else if (verdict === "expired" || verdict === "moved") {
      this.counters.rejected++
      asker.outbox.push({ _tag: "Rejected", token: 0, session, connection, seq, reason: verdict })
    }
  }

  /** Closes the batch. */
  private propose(): void {
    const batch = this.preparer.take()
    if (batch === undefined) return
    const size = batch.bytes.length
    const { traces } = this
    const proposal = { _tag: "Propose", epoch: this.role.epoch, batch, waiter: this.waiter } as const
    this.waiter = 0
    this.traces = undefined
    this.proposals.push(traces === undefined ? proposal : { ...proposal, traces })
    this.inFlight.push({ last: batch.last, bytes: size })
    this.inFlightBytes += size
    const { counters } = this
    counters.requests += batch.count
    counters.lastBatch = size
    counters.maxBatch = Math.max(counters.maxBatch, size)
    counters.minBatch = counters.minBatch === 0 ? size : Math.min(counters.minBatch, size)
  }

  /** The tree has applied everything up to `zxid`: the window opens. */
  applied(zxid: Zxid, wallMs: number): void {
    if (!this.isLeading) return
    this.preparer.applied(zxid)
    let done = 0
    while (done < this.inFlight.length && this.inFlight[done]!.last <= zxid)
      this.inFlightBytes -= this.inFlight[done++]!.bytes
    if (done > 0) this.inFlight = this.inFlight.slice(done)
    if (this.closing.length > 0) this.tellClosed(zxid)
    if (this.alone !== undefined) this.wasAlone(zxid)
    this.goOn(wallMs)
  }

  private wasAlone(zxid: Zxid): void {
    if (!("at" in this.alone!) || this.alone.at > zxid) return
    this.preparer.restored()
    this.alone = undefined
  }

  /** Prepares what has been waiting. */
  private goOn(wallMs: number): void {
    for (const [link, asker] of this.askers) {
      let next = 0
      while (next < asker.waiting.length && this.askers.has(link) && this.mayPrepare(link, asker)) {
        const message = asker.waiting[next++]!
        const rest = this.handle(link, asker, message, wallMs)
        asker.requests -= sizeOf(message)
        if (rest === undefined) continue
        asker.requests += sizeOf(rest)
        asker.waiting[--next] = rest
      }
      if (next > 0) asker.waiting = asker.waiting.slice(next)
    }
  }

  /** Deletes what has outlived itself, when it is time to look. */
  tick(nowMs: number, wallMs: number): void {
    if (!this.isLeading) return
    // Whoever waited to restore may have gone without a word more.
    if (this.alone === undefined) this.goOn(wallMs)
    if (this.alone !== undefined || nowMs < this.nextSweepMs) return
    this.nextSweepMs = nowMs + this.options.containerCheckIntervalMs
    this.counters.swept += this.preparer.sweep(wallMs, this.options.containerMaxPerCheck)
  }

  takeProposals(): ReadonlyArray<ZnodeToBroadcast> {
    this.propose()
    const { proposals } = this
    if (proposals.length > 0) this.proposals = []
    return proposals
  }

  takeMessages(): Array<{ readonly link: LinkId; readonly messages: ReadonlyArray<PrepareToSession> }> {
    const due: Array<{ readonly link: LinkId; readonly messages: ReadonlyArray<PrepareToSession> }> = []
    for (const [link, asker] of this.askers) {
      if (asker.outbox.length === 0) continue
      due.push({ link, messages: asker.outbox })
      asker.outbox = []
    }
    return due
  }

  takeBreaks(): ReadonlyArray<{ readonly link: LinkId; readonly detail: string }> {
    const { breaks } = this
    if (breaks.length > 0) this.breaks = []
    return breaks
  }
}
