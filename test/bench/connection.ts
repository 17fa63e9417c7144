import { connect, type Socket } from "node:net"
import { connectFrame, XID_OFFSET } from "./frames.ts"
import type { Histogram } from "./histogram.ts"
import { Ring } from "./ring.ts"
import type { Load } from "./spec.ts"

const HEADER = 20
const SESSION_TIMEOUT_MS = 30_000

/** What all connections of a run add up in. */
export interface Tally {
  readonly histogram: Histogram
  errors: number
  lost: number
  /** Replies are counted only while it is set: not in the warm-up. */
  recording: boolean
}

/** A session that keeps its window full. Replies are read by their headers only; their bodies are skipped. */
export class Connection {
  private readonly socket: Socket
  private readonly ring: Ring
  private readonly tally: Tally
  private readonly sentAt: Float64Array
  private readonly header = new Uint8Array(HEADER)
  /** Bytes of the next reply's header that have come, and of its body that have not. */
  private headerFilled = 0
  private bodyLeft = 0
  private nextXid = 1
  private expectedXid = 1
  private nextSlot = 0
  private oldestSlot = 0
  private running = false
  private closing = false
  private onIdle: (() => void) | undefined
  private inFlight = 0

  private constructor(socket: Socket, load: Load, index: number, tally: Tally) {
    this.socket = socket
    this.ring = new Ring(load, index)
    this.sentAt = new Float64Array(this.ring.slots)
    this.tally = tally
  }

  /** Opens a session at the index-th server, counted round and round. */
  static open(load: Load, index: number, tally: Tally): Promise<Connection> {
    const server = load.servers[index % load.servers.length]!
    return new Promise((resolve, reject) => {
      let answered = false
      const socket = connect({
        host: server.host,
        port: server.port,
        noDelay: true,
        onread: {
          buffer: new Uint8Array(65_536),
          callback: (count, bytes) => {
            if (answered) connection.read(bytes, count)
            else {
              // The ConnectResponse: 36 bytes or 37, at once. A timeout of 0 says that there is no session.
              answered = true
              const response = Buffer.from(bytes.buffer, bytes.byteOffset, count)
              if (count >= 40 && response.readInt32BE(8) > 0) resolve(connection)
              else reject(new Error(`${server.host}:${server.port} gave no session`))
            }
            return true
          }
        }
      })
      const connection = new Connection(socket, load, index, tally)
      socket.once("connect", () => socket.write(connectFrame(SESSION_TIMEOUT_MS)))
      socket.on("error", (error) => {
        if (!answered) reject(new Error(`${server.host}:${server.port}: ${error.message}`))
      })
      socket.on("close", () => {
        if (!answered) reject(new Error(`${server.host}:${server.port} closed the connection without an answer`))
        connection.closed()
      })
    })
  }

  /** Sends one request and waits for its reply's error code. */
  ask(frame: Buffer): Promise<number> {
    return new Promise((resolve, reject) => {
      this.answer = resolve
      this.failed = reject
      const copy = Buffer.from(frame)
      copy.writeInt32BE(this.nextXid++, XID_OFFSET)
      this.socket.write(copy)
    })
  }
  private answer: ((error: number) => void) | undefined
  private failed: ((error: Error) => void) | undefined

  start(outstanding: number): void {
    this.running = true
    this.expectedXid = this.nextXid
    this.send(outstanding)
  }

  /** Sends nothing more; resolves when everything has been answered, or the connection has gone. */
  drain(): Promise<void> {
    this.running = false
    if (this.inFlight === 0) return Promise.resolve()
    return new Promise((resolve) => (this.onIdle = resolve))
  }

  close(frame: Buffer): Promise<void> {
    this.closing = true
    return new Promise((resolve) => {
      if (this.socket.destroyed) return resolve()
      this.socket.once("close", () => resolve())
      const copy = Buffer.from(frame)
      copy.writeInt32BE(this.nextXid++, XID_OFFSET)
      this.socket.end(copy)
      setTimeout(() => this.socket.destroy(), 2000).unref()
    })
  }

  private send(count: number): void {
    const { ring, sentAt } = this
    const now = performance.now()
    const first = this.nextSlot
    let slot = first
    for (let i = 0; i < count; i++) {
      ring.setXid(slot, this.nextXid++)
      sentAt[slot] = now
      if (++slot === ring.slots) slot = 0
    }
    this.nextSlot = slot
    this.inFlight += count
    const { bytes, offsets } = ring
    if (slot > first) this.socket.write(bytes.subarray(offsets[first]!, offsets[slot]!))
    else {
      this.socket.write(bytes.subarray(offsets[first]!))
      if (slot > 0) this.socket.write(bytes.subarray(0, offsets[slot]!))
    }
  }

  private read(bytes: Uint8Array, count: number): void {
    const { header } = this
    let at = 0
    let replies = 0
    const now = performance.now()
    while (at < count) {
      if (this.bodyLeft > 0) {
        const skipped = Math.min(this.bodyLeft, count - at)
        this.bodyLeft -= skipped
        at += skipped
        continue
      }
      if (this.headerFilled === 0 && count - at >= HEADER) {
        this.reply(bytes, at, now)
        at += HEADER
        replies++
        continue
      }
      header[this.headerFilled++] = bytes[at++]!
      if (this.headerFilled === HEADER) {
        this.headerFilled = 0
        this.reply(header, 0, now)
        replies++
      }
    }
    if (this.answer !== undefined) return
    if (this.running && replies > 0) this.send(replies)
    else if (this.inFlight === 0) this.onIdle?.()
  }

  private reply(bytes: Uint8Array, at: number, now: number): void {
    this.bodyLeft = int(bytes, at) - (HEADER - 4)
    const error = int(bytes, at + 16)
    if (this.answer !== undefined) {
      const answer = this.answer
      this.answer = undefined
      answer(error)
      return
    }
    if (this.inFlight === 0) return
    const { tally } = this
    if (int(bytes, at + 4) !== this.expectedXid) {
      throw new Error(`reply ${int(bytes, at + 4)} came where ${this.expectedXid} was due`)
    }
    this.expectedXid = (this.expectedXid + 1) | 0
    const slot = this.oldestSlot
    this.oldestSlot = slot + 1 === this.ring.slots ? 0 : slot + 1
    this.inFlight--
    if (!tally.recording) return
    tally.histogram.record((now - this.sentAt[slot]!) * 1000, 1)
    if (error !== 0) tally.errors++
  }

  private closed(): void {
    if (!this.closing) this.tally.lost++
    this.running = false
    this.inFlight = 0
    this.onIdle?.()
    this.failed?.(new Error("the server closed the connection"))
  }
}

function int(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}
