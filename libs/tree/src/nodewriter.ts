/** Writes replies straight from the tree's memory into the chunk that goes to the client. */
import { WORD, type Zxid } from "@zkmesh/numbers"
import { JuteWriter } from "@zkmesh/protocol"
import type { Nodes } from "./nodes.ts"
import { Field, Flag, PAGE_MASK, PAGE_SHIFT, ROW_WORDS, type Slot, STAT_WORDS } from "./rows.ts"

const HEADER_BYTES = 20
const STAT_BYTES = 4 * STAT_WORDS

export class NodeWriter extends JuteWriter {
  /** What has not been taken yet, in its own memory. */
  get written(): Uint8Array {
    return this.chunk.subarray(this.start, this.position)
  }

  /** A whole reply without a body. */
  emptyReply(xid: number, zxid: Zxid, err: number): void {
    this.reserve(HEADER_BYTES)
    this.header(HEADER_BYTES - 4, xid, zxid, err)
  }

  private header(length: number, xid: number, zxid: Zxid, err: number): void {
    const { view, position } = this
    view.setInt32(position, length)
    view.setInt32(position + 4, xid)
    view.setInt32(position + 8, Math.floor(zxid / WORD))
    view.setInt32(position + 12, zxid)
    view.setInt32(position + 16, err)
    this.position = position + HEADER_BYTES
  }

  /** A whole reply of getData: header, data and Stat in one go. */
  dataReply(xid: number, zxid: Zxid, nodes: Nodes, slot: Slot): void {
    const length = nodes.rows.get(slot, Field.dataLength)
    const bytes = HEADER_BYTES + 4 + length + STAT_BYTES
    this.reserve(bytes)
    this.header(bytes - 4, xid, zxid, 0)
    this.putData(nodes, slot, length)
    this.putStat(nodes, slot)
  }

  /** A whole reply of exists. */
  statReply(xid: number, zxid: Zxid, nodes: Nodes, slot: Slot): void {
    this.reserve(HEADER_BYTES + STAT_BYTES)
    this.header(HEADER_BYTES - 4 + STAT_BYTES, xid, zxid, 0)
    this.putStat(nodes, slot)
  }

  nodeData(nodes: Nodes, slot: Slot): void {
    const length = nodes.rows.get(slot, Field.dataLength)
    // Three bytes more: values are copied in whole words.
    this.reserve(4 + length + 3)
    this.putData(nodes, slot, length)
  }

  private putData(nodes: Nodes, slot: Slot, length: number): void {
    const { chunk, view, position } = this
    const isNull = length === 0 && (nodes.rows.flags(slot) & Flag.nullData) !== 0
    view.setInt32(position, isNull ? -1 : length)
    const block = nodes.rows.get(slot, Field.block)
    nodes.arena.copyTo(block, nodes.dataOffset(slot), length, chunk, view, position + 4)
    this.position = position + 4 + length
  }

  nodeStat(nodes: Nodes, slot: Slot): void {
    this.reserve(STAT_BYTES)
    this.putStat(nodes, slot)
  }

  private putStat(nodes: Nodes, slot: Slot): void {
    const { view, position } = this
    const page = nodes.rows.pages[slot >>> PAGE_SHIFT]!
    const base = (slot & PAGE_MASK) * ROW_WORDS
    for (let i = 0; i < STAT_WORDS; i++) view.setInt32(position + 4 * i, page[base + i]!)
    this.position = position + STAT_BYTES
  }

  /** The names of a znode's children as a vector. */
  nodeChildren(nodes: Nodes, slot: Slot): void {
    const { rows, arena } = nodes
    this.int(rows.get(slot, Field.numChildren))
    for (let child = rows.get(slot, Field.firstChild); child !== 0; child = rows.get(child, Field.next)) {
      const length = nodes.nameLength(child)
      this.reserve(4 + length + 3)
      this.view.setInt32(this.position, length)
      arena.copyTo(rows.get(child, Field.block), 0, length, this.chunk, this.view, this.position + 4)
      this.position += 4 + length
    }
  }

  /** Bytes as they are. */
  rawSpan(bytes: Uint8Array, start: number, end: number): void {
    this.reserve(end - start)
    for (let i = start, at = this.position; i < end; i++, at++) this.chunk[at] = bytes[i]!
    this.position += end - start
  }
}
