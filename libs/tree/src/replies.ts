/**
 * What every session was lately answered: the last few megabytes of replies to writes, whichever peer the session is
 * attached to. A frontend that carries its client over from a peer that has died asks here for the answers to those
 * writes that are in the log and whose replies went down with that peer.
 *
 * A ring of bytes and beside it a ring of what they are: nothing here is garbage to be collected.
 */
import type { Zxid } from "@zkmesh/numbers"

const ENTRIES = 64 * 1024

export class RecentReplies {
  private readonly bytes: Uint8Array
  /** Of the last `ENTRIES` replies, by their number modulo that. */
  private readonly connections = new Float64Array(ENTRIES)
  private readonly seqs = new Uint32Array(ENTRIES)
  private readonly lengths = new Uint32Array(ENTRIES)
  /** Where they begin, in bytes since the first one ever. */
  private readonly starts = new Float64Array(ENTRIES)
  private count = 0
  private written = 0

  /** `capacity` in bytes: a reply that does not fit is not kept. */
  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity)
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
    const index = this.count++ % ENTRIES
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
    const oldest = Math.max(0, this.count - ENTRIES)
    for (let number = this.count - 1; number >= oldest && wanted > after; number--) {
      const index = number % ENTRIES
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
