/**
 * What every session was lately answered: the last few megabytes of replies to writes, whichever peer the session is
 * attached to. A frontend that carries its client over from a peer that has died asks here for the answers to those
 * writes that are in the log and whose replies went down with that peer.
 *
 * A ring of bytes and beside it a ring of what they are: nothing here is garbage to be collected.
 */
import type { Zxid } from "@zkmesh/numbers"

const MOST_ENTRIES = 64 * 1024
/** Hardly any reply is shorter. */
const LEAST_BYTES = 16

export class RecentReplies {
  private readonly bytes: Uint8Array
  private readonly entries: number
  /** Of the last `entries` replies, by their number modulo that. */
  private readonly connections: Float64Array
  private readonly seqs: Uint32Array
  private readonly lengths: Uint32Array
  /** Where they begin, in bytes since the first one ever. */
  private readonly starts: Float64Array
  private count = 0
  private written = 0

  /** `capacity` in bytes: a reply that does not fit is not kept. */
  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity)
    const entries = Math.min(MOST_ENTRIES, Math.ceil(capacity / LEAST_BYTES))
    this.entries = entries
    this.connections = new Float64Array(entries)
    this.seqs = new Uint32Array(entries)
    this.lengths = new Uint32Array(entries)
    this.starts = new Float64Array(entries)
  }

  /** The reply to request `seq` of a connection; its bytes are copied. */
  add(connection: Zxid, seq: number, frame: Uint8Array): void {
    const capacity = this.bytes.length
    const { length } = frame
    if (length > capacity) return
    // A reply lies in one piece: what is left before the end is skipped.
    const offset = this.written % capacity
    const start = offset + length <= capacity ? this.written : this.written - offset + capacity
    this.bytes.set(frame, start % capacity)
    const index = this.count++ % this.entries
    this.connections[index] = connection
    this.seqs[index] = seq
    this.lengths[index] = length
    this.starts[index] = start
    this.written = start + length
  }

  /** Copies of the replies to the requests after `after` up to `to`, in order; undefined unless all of them are here. */
  range(connection: Zxid, after: number, to: number): ReadonlyArray<Uint8Array> | undefined {
    const { bytes } = this
    const found: Array<Uint8Array> = []
    let wanted = to
    const oldest = Math.max(0, this.count - this.entries)
    for (let number = this.count - 1; number >= oldest && wanted > after; number--) {
      const index = number % this.entries
      const start = this.starts[index]!
      if (start < this.written - bytes.length) break
      if (this.connections[index] !== connection || this.seqs[index] !== wanted) continue
      const at = start % bytes.length
      found.push(bytes.slice(at, at + this.lengths[index]!))
      wanted--
    }
    return wanted === after ? found.reverse() : undefined
  }
}
