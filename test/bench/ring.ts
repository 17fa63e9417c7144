import { createFrame, getDataFrame, setDataFrame, XID_OFFSET } from "./frames.ts"
import type { Load } from "./spec.ts"

/**
 * The requests of one connection, written out once in the order in which they are sent, over and over. A slot's bytes
 * are touched again only when its reply has come, so the socket is given views of this memory and nothing is copied.
 */
export class Ring {
  readonly bytes: Buffer
  /** Where slot i begins; one more than there are slots. */
  readonly offsets: Int32Array
  readonly slots: number

  constructor(load: Load, connection: number) {
    const random = generator(connection + 1)
    // Long enough that the mix has its ratio and the paths their spread; a multiple of what is outstanding.
    this.slots = load.outstanding * Math.max(4, Math.ceil(400 / load.outstanding))
    const value = Buffer.alloc(load.size, 0x61 + (connection % 26))
    const frames = Array.from({ length: this.slots }, () => requestFor(load, value, random))
    this.bytes = Buffer.concat(frames)
    this.offsets = new Int32Array(this.slots + 1)
    for (let slot = 0; slot < this.slots; slot++) this.offsets[slot + 1] = this.offsets[slot]! + frames[slot]!.length
  }

  setXid(slot: number, xid: number): void {
    const at = this.offsets[slot]! + XID_OFFSET
    const bytes = this.bytes
    bytes[at] = xid >>> 24
    bytes[at + 1] = xid >>> 16
    bytes[at + 2] = xid >>> 8
    bytes[at + 3] = xid
  }
}

export const nodePath = (load: Load, index: number): string => `${load.root}/k${index}`

function requestFor(load: Load, value: Buffer, random: () => number): Buffer {
  const path = nodePath(load, Math.floor(random() * load.nodes))
  switch (load.op) {
    case "getData":
      return getDataFrame(path)
    case "setData":
      return setDataFrame(path, value)
    case "create":
      // 2: sequential, so that one frame makes a new znode each time.
      return createFrame(`${load.root}/c-`, value, 2)
    case "mix":
      return random() < load.readRatio ? getDataFrame(path) : setDataFrame(path, value)
  }
}

/** The same requests in every run: what is compared must be the same load. */
function generator(seed: number): () => number {
  let state = (seed * 2654435761) >>> 0
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) >>> 0
    return ((state ^ (state >>> 14)) >>> 0) / 2 ** 32
  }
}
