/** Links that this process has asked for and that nobody has answered yet. */
import type { ByteWriter } from "../bytes.ts"
import { PacketKind, writeOpen, writePacketHeader } from "./packets.ts"
import type { RemoteLink } from "./remoteLink.ts"

/** What openings need of the bus that they belong to. */
export interface OpeningHome {
  readonly scratch: ByteWriter
  /** The incarnation of this process, in bytes. */
  readonly incarnation: Uint8Array
  /** What the subjects of the ensemble begin with, and those of this process's own inbox. */
  readonly prefix: string
  readonly inbox: string
  publish(subject: string, packet: Uint8Array, reply?: string): void
}

interface Opening {
  readonly link: RemoteLink
  readonly protocol: string
  readonly sinceMs: number
}

export class Openings {
  private readonly home: OpeningHome
  private readonly byNumber = new Map<number, Opening>()

  constructor(home: OpeningHome) {
    this.home = home
  }

  get links(): ReadonlyArray<RemoteLink> {
    return [...this.byNumber.values()].map(({ link }) => link)
  }

  get(number: number): RemoteLink | undefined {
    return this.byNumber.get(number)?.link
  }

  /** It is answered, or has ended. */
  delete(number: number): void {
    this.byNumber.delete(number)
  }

  begin(link: RemoteLink, protocol: string, nowMs: number): void {
    const opening = { link, protocol, sinceMs: nowMs }
    this.byNumber.set(link.number, opening)
    this.ask(opening)
  }

  /** Each heartbeat: ends those that have waited for long enough, and asks again for the others. */
  tick(nowMs: number, heartbeatMs: number): void {
    for (const opening of [...this.byNumber.values()]) {
      const { link, sinceMs } = opening
      const waitedMs = nowMs - sinceMs
      if (waitedMs > link.limitMs) link.end("silent", `${link.remote} has not answered for ${link.limitMs} ms`)
      // What was asked may have been lost, or the answer: nothing that comes later would tell. It is taken once only.
      else if (waitedMs >= heartbeatMs) this.ask(opening)
    }
  }

  private ask({ link, protocol }: Opening): void {
    const { scratch, incarnation, prefix, inbox } = this.home
    const { number, limitMs, local: from, remote: to } = link
    scratch.reset()
    writePacketHeader(scratch, PacketKind.Open, incarnation)
    writeOpen(scratch, { link: number, limitMs, from, to, protocol })
    this.home.publish(`${prefix}.${to}`, scratch.copy(), `${inbox}.o${number}`)
  }
}
