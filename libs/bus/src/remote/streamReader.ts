/** Messages out of a stream of bytes that has been cut anywhere. */
import type { Codec } from "../bus.ts"

const SIZE_BYTES = 4

const sizeAt = (bytes: Uint8Array, at: number): number =>
  bytes[at]! * 0x1_00_00_00 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!)

/** A message that came whole in one piece is decoded where it lies; only one that was cut is put together by a copy. */
export class StreamReader {
  private readonly codec: Codec<unknown>
  private pieces: Array<Uint8Array> = []
  private held = 0
  /** How many bytes must be held before there is any use in looking again. */
  private wanted = 0

  constructor(codec: Codec<unknown>) {
    this.codec = codec
  }

  /** The messages that are complete with these bytes. */
  take(bytes: Uint8Array): ReadonlyArray<unknown> {
    if (this.held === 0) return this.read(bytes)
    this.pieces.push(bytes)
    this.held += bytes.length
    if (this.held < this.wanted) return []
    const joined = this.join()
    return this.read(joined)
  }

  private join(): Uint8Array {
    const joined = new Uint8Array(this.held)
    let at = 0
    for (const piece of this.pieces) {
      joined.set(piece, at)
      at += piece.length
    }
    this.pieces = []
    this.held = 0
    return joined
  }

  private read(bytes: Uint8Array): ReadonlyArray<unknown> {
    const messages: Array<unknown> = []
    let at = 0
    while (at + SIZE_BYTES <= bytes.length) {
      const end = at + SIZE_BYTES + sizeAt(bytes, at)
      if (end > bytes.length) break
      messages.push(this.codec.decode(bytes.subarray(at + SIZE_BYTES, end)))
      at = end
    }
    if (at < bytes.length) this.hold(bytes.subarray(at))
    return messages
  }

  private hold(rest: Uint8Array): void {
    this.pieces = [rest]
    this.held = rest.length
    this.wanted = rest.length < SIZE_BYTES ? SIZE_BYTES : SIZE_BYTES + sizeAt(rest, 0)
  }
}
