import type { AppliedTxn } from "@zkmesh/messages"
import {
  CreateMode,
  type MultiWrite,
  OpCode,
  readMultiResponse,
  writeMultiRequest,
  writeSetDataRequest,
  writeVersionedPathRequest
} from "@zkmesh/protocol"
import { assert, it } from "vitest"
import { Applier, OPEN_ACL, Tree, TreeLoader } from "../src/index.ts"
import { Model, type ModelOp, type Outcome } from "./model.ts"
import { random } from "./random.ts"
import { applyBatch, type Client, PEER, readReply, World, writeCreate } from "./world.ts"

const NAMES = ["a", "b", "c"]
const FLAGS = [0, 0, CreateMode.EPHEMERAL, CreateMode.PERSISTENT_SEQUENTIAL, CreateMode.EPHEMERAL_SEQUENTIAL]

/** A run of random requests: what the model says to each is what the replies must say, however deep the overlay is. */
class Run {
  readonly world = new World()
  readonly model = new Model()
  readonly next: () => number
  private readonly clients: Array<Client> = []
  private expected: Array<{ readonly what: string; readonly outcome: Outcome | ReadonlyArray<Outcome> }> = []
  private answered = 0

  constructor(seed: number) {
    this.next = random(seed)
  }

  private pick<T>(values: ReadonlyArray<T>): T {
    return values[this.next() % values.length]!
  }

  private path(): string {
    let path = ""
    for (let depth = 1 + (this.next() % 3); depth > 0; depth--) path += `/${this.pick(NAMES)}`
    // Now and then one that is certainly there, such as a sequential one.
    return this.next() % 4 === 0 ? this.pick([...this.model.nodes.keys()]) : path
  }

  private op(): MultiWrite {
    const path = this.path()
    const version = this.next() % 3 === 0 ? this.next() % 3 : -1
    const data = this.next() % 5 === 0 ? null : Buffer.alloc(this.next() % 80, 120)
    switch (this.next() % 8) {
      case 0:
      case 1:
        return { op: OpCode.delete, path, version }
      case 2:
        return { op: OpCode.setData, path: path === "/zookeeper/config" ? "/" : path, data, version }
      case 3:
        return { op: OpCode.check, path, version }
      default:
        return {
          op: OpCode.create,
          path: path === "/" ? "/a" : path,
          data,
          acl: [...OPEN_ACL],
          flags: this.pick(FLAGS)
        }
    }
  }

  private request(): ModelOp {
    const op = this.op()
    if (op.op !== OpCode.check && this.next() % 4 > 0) return op
    return { op: OpCode.multi, ops: Array.from({ length: this.next() % 5 }, () => this.op()).concat(op) }
  }

  private send(client: Client, op: ModelOp): void {
    const verdict = client.send(op.op, (writer) => {
      if (op.op === OpCode.multi) writeMultiRequest(writer, op.ops)
      else if (op.op === OpCode.delete) writeVersionedPathRequest(writer, op)
      else if (op.op === OpCode.setData) writeSetDataRequest(writer, op)
      else if (op.op === OpCode.create) writeCreate(op.path, op)(writer)
    })
    assert.equal(verdict, "prepared")
    const outcome = this.model.run(op, client.id, this.world.preparer.last, this.world.now)
    this.expected.push({ what: JSON.stringify(op), outcome })
  }

  step(): void {
    const { world, clients } = this
    world.now += this.next() % 3
    if (clients.length === 0 || this.next() % 40 === 0) {
      clients.push(world.open())
      this.expected.push({ what: "open", outcome: "" })
    }
    const client = this.pick(clients)
    if (this.next() % 50 === 0) {
      assert.equal(
        client.send(OpCode.closeSession, () => {}),
        "prepared"
      )
      const gone = this.model.close(client.id, world.preparer.last)
      this.expected.push({ what: "close", outcome: gone })
      clients.splice(clients.indexOf(client), 1)
    } else this.send(client, this.request())
    if (this.next() % 12 === 0) this.apply()
  }

  apply(): void {
    for (const txn of this.world.apply()) {
      const { what, outcome } = this.expected[this.answered++]!
      this.check(txn, what, outcome)
    }
  }

  private check(txn: AppliedTxn, what: string, outcome: Outcome | ReadonlyArray<Outcome>): void {
    if (what === "open") {
      assert.equal(txn.type, OpCode.createSession)
      return
    }
    if (what === "close") {
      assert.deepEqual((txn.events ?? []).map((event) => event.path).sort(), outcome)
      return
    }
    const { err, body } = readReply(txn.reply!)
    if (typeof outcome === "number") assert.equal(err, outcome, what)
    else if (typeof outcome === "string") {
      assert.equal(err, 0, what)
      if (outcome !== "") assert.equal(body.string(), outcome, what)
    } else {
      const results = readMultiResponse(body).map(
        (result): Outcome =>
          result.type === OpCode.error ? result.err : result.type === OpCode.create ? result.path : ""
      )
      assert.deepEqual(results, outcome, what)
    }
  }

  /** Every znode, field by field. */
  compare(tree: Tree, client: Client): void {
    const { model } = this
    assert.equal(tree.nodes.count, model.nodes.size)
    for (const [path, node] of model.nodes) {
      const stored = tree.stored(tree.nodes.findPath(path))
      assert.deepEqual(
        {
          data: stored.data === null ? null : Buffer.from(stored.data).toString(),
          owner: stored.ephemeralOwner,
          version: stored.version,
          creations: stored.cversion,
          czxid: stored.czxid,
          mzxid: stored.mzxid,
          pzxid: stored.pzxid,
          ctime: stored.ctime,
          mtime: stored.mtime
        },
        node,
        path
      )
      const stat = client.stat(path)
      const children = model.children(path).length
      assert.equal(stat.numChildren, children, path)
      assert.equal(stat.cversion, 2 * node.creations - children, path)
    }
  }

  anyone(): Client {
    return this.world.client()
  }
}

it.for(Array.from({ length: 12 }, (_, i) => i + 1))("does what the rules say, seed %i", (seed) => {
  const run = new Run(seed)
  for (let i = 0; i < 1200; i++) run.step()
  run.apply()
  assert.equal(run.world.preparer.inFlight, 0, "the overlay is empty once everything is applied")
  run.compare(run.world.tree, run.anyone())

  // Whoever replays the log has the same tree, and so has whoever loads it.
  const replayed = new Tree(seed)
  const applier = new Applier(replayed, PEER)
  for (const batch of run.world.batches) applyBatch(applier, batch)
  assert.equal(replayed.digest(), run.world.tree.digest())
  const loader = new TreeLoader()
  loader.add([...run.model.nodes.keys()].map((path) => run.world.tree.stored(run.world.tree.nodes.findPath(path))))
  loader.finish(replayed.zxid, replayed.digest(), [])
})
