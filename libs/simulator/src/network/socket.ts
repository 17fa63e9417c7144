/**
 * A client's TCP connection to a frontend: in order, late, and gone when either process is. The frontend's end is a
 * socket as `node:net` has them, as far as a frontend uses one.
 */
import { EventEmitter } from "node:events"
import type { Socket } from "node:net"
import type { SimProcess } from "../virtual/process.ts"
import type { Random } from "../virtual/random.ts"
import type { Timeline } from "../virtual/timeline.ts"

/** What the client hears. */
export interface ClientEnd {
  readonly received: (bytes: Uint8Array) => void
  readonly closed: () => void
}

export class SimConnection {
  /** Undefined once the client has closed it. */
  private client: ClientEnd | undefined
  readonly server: ServerEnd
  /** Nothing passes, and nobody is told. */
  isCut: () => boolean = () => false
  private readonly timeline: Timeline
  private readonly random: Random
  private readonly process: SimProcess
  private readonly lastAt = { up: 0, down: 0 }

  constructor(timeline: Timeline, random: Random, process: SimProcess, client: ClientEnd, address: string) {
    this.timeline = timeline
    this.random = random
    this.process = process
    this.client = client
    this.server = new ServerEnd(this, address)
  }

  private carry(way: "up" | "down", run: () => void): void {
    const at = Math.max(this.lastAt[way], this.timeline.now + this.random.between(0.05, 1))
    this.lastAt[way] = at
    this.timeline.after(at - this.timeline.now, () => {
      if (!this.isCut()) run()
    })
  }

  /** The client's bytes. */
  send(bytes: Uint8Array): void {
    this.carry("up", () => this.process.run(() => this.server.arrive(bytes)))
  }

  /** The client goes. */
  close(): void {
    this.client = undefined
    this.carry("up", () => this.process.run(() => this.server.hangUp()))
  }

  /** The frontend's process has gone: the machine under it says so. */
  reset(): void {
    this.carry("down", () => this.goneForClient())
  }

  toClient(bytes: Uint8Array): void {
    this.carry("down", () => this.client?.received(bytes))
  }

  endToClient(): void {
    this.carry("down", () => this.goneForClient())
  }

  soon(task: () => void): void {
    this.process.machine.microtask(task)
  }

  private goneForClient(): void {
    const { client } = this
    this.client = undefined
    client?.closed()
  }
}

/** The part of `net.Socket` that frontends use. */
export class ServerEnd extends EventEmitter {
  readonly remoteAddress: string
  readonly remotePort = 1
  readonly writableNeedDrain = false
  readonly writableLength = 0
  destroyed = false
  private readonly connection: SimConnection
  private paused = false
  private hasEnded = false
  private peerHasEnded = false
  private waiting: Array<Uint8Array> = []

  constructor(connection: SimConnection, address: string) {
    super()
    this.connection = connection
    this.remoteAddress = address
  }

  /** As its user sees it. */
  get asSocket(): Socket {
    return this as unknown as Socket
  }

  arrive(bytes: Uint8Array): void {
    if (this.destroyed) return
    if (this.paused) this.waiting.push(bytes)
    else this.emit("data", Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
  }

  hangUp(): void {
    if (this.destroyed || this.peerHasEnded) return
    this.peerHasEnded = true
    if (this.paused && this.waiting.length > 0) return
    this.emit("end")
    if (this.hasEnded) this.destroy()
  }

  write(bytes: Uint8Array): boolean {
    // A copy: the frontend's writer may use its memory again once it has been written.
    if (!this.destroyed && !this.hasEnded) this.connection.toClient(Uint8Array.from(bytes))
    return true
  }

  end(): this {
    if (this.hasEnded || this.destroyed) return this
    this.hasEnded = true
    this.connection.endToClient()
    if (this.peerHasEnded) this.destroy()
    return this
  }

  destroySoon(): void {
    this.end()
    this.destroy()
  }

  destroy(): this {
    if (this.destroyed) return this
    this.destroyed = true
    this.connection.endToClient()
    this.connection.soon(() => void this.emit("close"))
    return this
  }

  isPaused(): boolean {
    return this.paused
  }

  pause(): this {
    this.paused = true
    return this
  }

  resume(): this {
    if (!this.paused) return this
    this.paused = false
    this.connection.soon(() => this.readOn())
    return this
  }

  private readOn(): void {
    while (!this.paused && !this.destroyed && this.waiting.length > 0) this.arrive(this.waiting.shift()!)
    if (this.peerHasEnded && this.waiting.length === 0 && !this.destroyed && !this.paused) {
      this.emit("end")
      if (this.hasEnded) this.destroy()
    }
  }

  cork(): void {}
  uncork(): void {}
  setNoDelay(): this {
    return this
  }
  setKeepAlive(): this {
    return this
  }
}
