import type { Socket } from "node:net"
import type { Identity } from "@zkmesh/messages"
import type { SessionId, Zxid } from "@zkmesh/numbers"
import { hex, WORD } from "@zkmesh/numbers"
import { FrameSplitter } from "@zkmesh/protocol"
import type { DigestServer } from "@zkmesh/sasl"
import type { LogContext } from "@zkmesh/telemetry"
import type { Carry } from "./carry/Carry.ts"
import type { LargeRequests } from "./limits/largeRequests.ts"
import type { Peer } from "./Peer.ts"
import type { Origin } from "./proxied/header.ts"
import { Arrivals, Latency } from "./statistics.ts"
import type { Traced } from "./tracing/RequestTracing.ts"

/** Where a connection stands; it only ever goes forward. */
export const Phase = {
  /** Nothing has come yet: the first frame is a ConnectRequest, or no frame but a four-letter word. */
  First: 0,
  /** A four-letter word came, and is being answered. */
  Word: 1,
  /** The session has been asked for. */
  Opening: 2,
  Open: 3,
  /** Everything for it has been written; what still comes from it is not looked at. */
  Ending: 4,
  Closed: 5
} as const
export type Phase = (typeof Phase)[keyof typeof Phase]

/** Why a connection is not read from at the moment. */
export const Hold = { Opening: 1, Outstanding: 2, Unsent: 4, Total: 8, Draining: 16, Moving: 32 } as const

/** Below this, pieces for one connection are copied into one; above, they are written side by side. */
const COPY_BELOW = 64 * 1024

/** One client's socket. What its bytes mean is the frontend's business; this keeps its state and writes. */
export class Client {
  readonly conn: number
  readonly socket: Socket
  readonly address: string
  readonly port: number
  readonly establishedAt: number
  readonly splitter: FrameSplitter
  readonly latency = new Latency()
  readonly arrivals = new Arrivals()
  phase: Phase = Phase.First
  identity: Identity
  /** Whether it has proved enough to be served. */
  mayAsk = true
  /** Its SASL exchange, from its first token on. */
  exchange: DigestServer | undefined
  peer: Peer | undefined
  /** What it takes to go on at another peer; undefined if that is not possible, or there is no session yet. */
  carry: Carry | undefined
  /** The ConnectRequest had the readOnly field: then the response has it as well. */
  echoReadOnly = false
  sessionId: SessionId = 0
  timeoutMs = 0
  /** The connection is closed if nothing has come by then (the session, or any traffic). */
  deadline: number
  outstanding = 0
  outstandingBytes = 0
  /** How many requests may be outstanding; adapted to how large the replies are. */
  window: number
  /** Bytes of a reply, lately. */
  replySize = 0
  /** Requests answered since it came. */
  answers = 0
  large: LargeRequests | undefined
  /** When what is in the splitter came. */
  arrivedAt = 0
  /** How much of what was written to it had left the process when that was looked at last, and since when no more has. */
  private taken = 0
  private takenAt = 0
  private written = 0
  received = 0
  sent = 0
  lastOp = 0
  lastXid = -1
  private showsZxid = false
  private lastZxidHigh = 0
  private lastZxidLow = 0
  lastReplyAt = 0
  lastLatency = 0
  /** undefined: nothing is traced. */
  traced: Traced | undefined
  /** What takes the line behind a four-letter word that has one. */
  line: { push(bytes: Uint8Array): void; end(): void } | undefined
  private holds = 0
  private out: Array<Uint8Array> = []

  constructor(
    conn: number,
    socket: Socket,
    origin: Origin,
    identity: Identity,
    maxFrameBytes: number,
    window: number,
    establishedAt: number,
    deadline: number
  ) {
    this.conn = conn
    this.socket = socket
    this.address = origin.address
    this.port = origin.port
    this.identity = identity
    this.splitter = new FrameSplitter(maxFrameBytes)
    this.window = window
    this.establishedAt = establishedAt
    this.deadline = deadline
  }

  /** What lines of the log say of it. */
  get about(): LogContext {
    const { address, port, sessionId: session, lastZxidSeen: zxid, peer, traced } = this
    return { client: `${address}:${port}`, peer: peer?.sid, session, zxid, traceId: traced?.sampled[0]?.trace.traceId }
  }

  get isHeld(): boolean {
    return this.holds !== 0
  }

  hold(reason: number): void {
    if (this.holds === 0) this.socket.pause()
    this.holds |= reason
  }

  /** Reading goes on when no reason against it is left. */
  release(reason: number): void {
    if ((this.holds & reason) === 0) return
    this.holds &= ~reason
    this.readOn()
  }

  /** As `release`, but reading goes on only with `readOn`: what has been read already comes first. */
  lift(reason: number): void {
    this.holds &= ~reason
  }

  readOn(): void {
    if (this.holds === 0 && this.phase < Phase.Ending) this.socket.resume()
  }

  holdsFor(reason: number): boolean {
    return (this.holds & reason) !== 0
  }

  /** As `cons` shows it: all ones before the first reply. */
  get lastZxid(): string {
    return this.showsZxid ? hex(this.lastZxidSeen) : "0xffffffffffffffff"
  }

  /** The zxid of the last reply; 0 before the first. */
  get lastZxidSeen(): Zxid {
    return this.lastZxidHigh * WORD + this.lastZxidLow
  }

  /** Whole frames; true if they are the first since the last `flush`, which has to follow. */
  queue(bytes: Uint8Array): boolean {
    return this.out.push(bytes) === 1
  }

  /** Takes note of a run of replies: all of them were made at the zxid that is in the first one's header. */
  replied(bytes: Uint8Array, now: number): void {
    this.lastReplyAt = now
    let at = 0
    // Events that setWatches makes up come first in its answer, and have no zxid.
    while (bytes[at + 4] === 0xff && bytes[at + 7] === 0xff) at += 4 + wordAt(bytes, at)
    this.showsZxid = true
    this.lastZxidHigh = wordAt(bytes, at + 8)
    this.lastZxidLow = wordAt(bytes, at + 12)
  }

  /** Writes what has queued, in one go; returns how many bytes. */
  flush(): number {
    const { out } = this
    if (out.length === 0) return 0
    this.out = []
    if (this.phase >= Phase.Ending) return 0
    const bytes = this.write(out)
    this.written += bytes
    return bytes
  }

  private write(out: ReadonlyArray<Uint8Array>): number {
    const { socket } = this
    if (out.length === 1) {
      if (!socket.write(out[0]!)) this.hold(Hold.Unsent)
      return out[0]!.length
    }
    let bytes = 0
    for (const piece of out) bytes += piece.length
    if (bytes <= COPY_BELOW) {
      if (!socket.write(Buffer.concat(out, bytes))) this.hold(Hold.Unsent)
      return bytes
    }
    socket.cork()
    for (const piece of out) socket.write(piece)
    socket.uncork()
    if (socket.writableNeedDrain) this.hold(Hold.Unsent)
    return bytes
  }

  /** For how long the client has taken nothing of what waits for it. */
  idleOutput(now: number): number {
    const taken = this.written - this.socket.writableLength
    if (taken !== this.taken || this.socket.writableLength === 0) {
      this.taken = taken
      this.takenAt = now
    }
    return now - this.takenAt
  }

  /** Requests of this many bytes are under way. */
  asked(count: number, bytes: number): void {
    this.outstanding += count
    this.outstandingBytes += bytes
  }

  /** The oldest requests are answered. Returns about how many bytes they had: each the average of what is under way. */
  answered(count: number): number {
    const left = Math.max(0, this.outstanding - count)
    this.answers += count
    const bytes = left === 0 ? this.outstandingBytes : Math.floor((this.outstandingBytes * count) / this.outstanding)
    this.outstanding = left
    this.outstandingBytes -= bytes
    return bytes
  }

  /** `crst` */
  resetStatistics(): void {
    this.received = this.sent = 0
    this.latency.reset()
    this.lastOp = 0
    this.lastXid = -1
    this.showsZxid = false
    this.lastReplyAt = this.lastLatency = 0
  }
}

const wordAt = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
