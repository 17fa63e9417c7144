/**
 * What the tree's hot paths cost: `node libs/tree/test/bench.ts [znodes] [data bytes]`. Times are the best of several rounds,
 * so that what else the machine does counts less; memory wants `--expose-gc`.
 */
import { ClientRequest, WriteRequest } from "@zkmesh/messages"
import { JuteWriter, OpCode, writeCreateRequest, writeSetDataRequest } from "@zkmesh/protocol"
import type { StoredNode } from "@zkmesh/store"
import { EntryReader } from "@zkmesh/txn"
import { Applier, OPEN_ACL, Preparer, ReadBatch, Tree, TreeLoader } from "../src/index.ts"

const COUNT = Number(process.argv[2] ?? 100_000)
const BYTES = Number(process.argv[3] ?? 100)
const BATCH = 200
const IDENTITY = [{ scheme: "ip", id: "127.0.0.1" }]
const DATA = Buffer.alloc(BYTES, 7)
const pathOf = (i: number): string => `/bench/node-${String(i).padStart(8, "0")}`

const report = (what: string, value: number, unit: string): void =>
  console.log(`${what.padEnd(34)} ${value.toFixed(value < 10 ? 2 : 0).padStart(8)} ${unit}`)
const collect = (): NodeJS.MemoryUsage => {
  for (let i = 0; i < 3; i++) (globalThis as { gc?: () => void }).gc?.()
  return process.memoryUsage()
}

interface Requests {
  readonly op: number
  readonly bytes: Uint8Array
  readonly spans: ReadonlyArray<readonly [number, number]>
}

const requests = (op: number, from: number, to: number): Requests => {
  const writer = new JuteWriter(64 * 1024)
  const spans: Array<readonly [number, number]> = []
  for (let i = from; i < to; i++) {
    const start = writer.length
    if (op === OpCode.create) writeCreateRequest(writer, { path: pathOf(i), data: DATA, acl: [...OPEN_ACL], flags: 0 })
    else if (op === OpCode.setData) writeSetDataRequest(writer, { path: pathOf(i), data: DATA, version: -1 })
    else {
      writer.ustring(pathOf((i * 7919) % COUNT))
      writer.bool(false)
    }
    spans.push([start, writer.length])
  }
  return { op, bytes: writer.take(), spans }
}

class Bench {
  readonly tree = new Tree(1)
  private readonly preparer = new Preparer(this.tree, { extendedTypes: false })
  private readonly applier = new Applier(this.tree, 1)
  private readonly session: number
  private seq = 0

  constructor() {
    this.preparer.lead(1)
    const password = new Uint8Array(16)
    this.preparer.open(
      { _tag: "Open", session: 0, password, timeoutMs: 1, lastZxidSeen: 0, peer: 1, token: 1 },
      1_700_000_000_000
    )
    this.session = this.preparer.last
    this.apply()
    const writer = new JuteWriter()
    writeCreateRequest(writer, { path: "/bench", data: null, acl: [...OPEN_ACL], flags: 0 })
    const bytes = writer.take()
    this.prepare({ op: OpCode.create, bytes, spans: [[0, bytes.length]] })
    this.apply()
  }

  prepare({ op, bytes, spans }: Requests): void {
    const { session, preparer } = this
    for (const [start, end] of spans) {
      const seq = ++this.seq
      const request = new WriteRequest(session, session, seq, seq, op, IDENTITY, bytes, start, end)
      const verdict = preparer.prepare(request, 1_700_000_000_000 + seq)
      if (verdict !== "prepared") throw new Error(verdict)
    }
  }

  apply(): void {
    const batch = this.preparer.take()
    if (batch === undefined) return
    const entries = new EntryReader(batch.bytes)
    while (entries.next()) this.applier.apply(entries)
    this.preparer.applied(this.tree.zxid)
  }

  writes(op: number, what: string): void {
    const prepared: Array<number> = []
    const applied: Array<number> = []
    for (let i = 0; i < COUNT; i += BATCH) {
      const batch = requests(op, i, Math.min(COUNT, i + BATCH))
      const start = performance.now()
      this.prepare(batch)
      const middle = performance.now()
      this.apply()
      prepared.push((middle - start) / batch.spans.length)
      applied.push((performance.now() - middle) / batch.spans.length)
    }
    report(`prepare ${what}`, median(prepared) * 1000, "us")
    report(`apply ${what}, with its reply`, median(applied) * 1000, "us")
  }

  reads(): void {
    const reads = new ReadBatch(this.tree)
    const all = requests(OpCode.getData, 0, COUNT)
    const list = all.spans.map(([start, end]) => new ClientRequest(1, 1, OpCode.getData, all.bytes, start, end))
    const rounds: Array<number> = []
    for (let round = 0; round < 20; round++) {
      const start = performance.now()
      for (const request of list) {
        reads.read(request, IDENTITY, this.session)
        if (reads.size === 50) reads.take()
      }
      rounds.push((performance.now() - start) / COUNT)
    }
    report("getData, znodes at random", Math.min(...rounds) * 1000, "us")
  }

  checkpoint(): void {
    let start = performance.now()
    const digest = this.tree.digest()
    report("digest of all", performance.now() - start, "ms")
    start = performance.now()
    const { upserted } = this.tree.changes.capture()
    report("capture all", performance.now() - start, "ms")
    start = performance.now()
    const nodes: Array<StoredNode> = [...upserted]
    this.tree.changes.release()
    report("read out all", performance.now() - start, "ms")
    start = performance.now()
    const loader = new TreeLoader(2)
    loader.add(nodes)
    loader.finish(this.tree.zxid, digest, this.tree.sessions.copies())
    report("load all", performance.now() - start, "ms")
  }
}

const median = (values: Array<number>): number => values.sort((a, b) => a - b)[values.length >> 1]!

const before = collect()
const bench = new Bench()
bench.writes(OpCode.create, "create")
const after = collect()
report(
  "heap and buffers per znode",
  (after.heapUsed + after.external - before.heapUsed - before.external) / COUNT,
  "bytes"
)
report("of that the tree's own memory", bench.tree.nodes.reserved / COUNT, "bytes")
bench.reads()
bench.writes(OpCode.setData, "setData")
bench.checkpoint()
