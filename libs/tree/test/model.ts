/** The tree as one would write it down in an afternoon: a map of paths, every rule spelled out, nothing fast or in flight. */
import { CreateMode, ErrorCode, type MultiWrite, OpCode, parentOf } from "@zkmesh/protocol"

export interface ModelNode {
  data: string | null
  owner: number
  version: number
  creations: number
  czxid: number
  mzxid: number
  pzxid: number
  ctime: number
  mtime: number
}

export type ModelOp = MultiWrite | { readonly op: typeof OpCode.multi; readonly ops: ReadonlyArray<MultiWrite> }
/** An error code, or what comes of it: a path, or nothing. */
export type Outcome = number | string

const BUILT_IN = ["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"]

class Failed extends Error {
  readonly code: number
  constructor(code: number) {
    super(`error ${code}`)
    this.code = code
  }
}

export class Model {
  nodes = new Map<string, ModelNode>()

  constructor() {
    for (const path of ["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"])
      this.nodes.set(path, fresh(0, 0, 0, ""))
    this.nodes.get("/zookeeper/config")!.version = -1
  }

  children(path: string): Array<string> {
    const prefix = path === "/" ? "/" : `${path}/`
    return [...this.nodes.keys()].filter(
      (p) => p !== "/" && p.startsWith(prefix) && !p.slice(prefix.length).includes("/")
    )
  }

  /** The outcome; of a multi, the outcomes. Nothing has happened if any of them is an error. */
  run(op: ModelOp, session: number, zxid: number, time: number): Outcome | ReadonlyArray<Outcome> {
    const before = new Map([...this.nodes].map(([path, node]) => [path, { ...node }]))
    const ops = op.op === OpCode.multi ? op.ops : [op]
    const outcomes: Array<Outcome> = []
    for (const one of ops) {
      try {
        outcomes.push(this.one(one, session, zxid, time))
      } catch (error) {
        if (!(error instanceof Failed)) throw error
        this.nodes = before
        if (op.op !== OpCode.multi) return error.code
        const failed = outcomes.length
        return ops.map((_, i) => (i < failed ? 0 : i === failed ? error.code : ErrorCode.RUNTIMEINCONSISTENCY))
      }
    }
    return op.op === OpCode.multi ? outcomes : outcomes[0]!
  }

  private need(path: string): ModelNode {
    const node = this.nodes.get(path)
    if (node === undefined) throw new Failed(ErrorCode.NONODE)
    return node
  }

  private one(op: MultiWrite, session: number, zxid: number, time: number): Outcome {
    switch (op.op) {
      case OpCode.delete:
        return this.delete(op.path, op.version, zxid)
      case OpCode.setData: {
        const node = this.need(op.path)
        if (op.version !== -1 && op.version !== node.version) throw new Failed(ErrorCode.BADVERSION)
        const data = op.data === null ? null : Buffer.from(op.data).toString()
        Object.assign(node, { data, version: node.version + 1, mzxid: zxid, mtime: time })
        return ""
      }
      case OpCode.check: {
        const node = this.need(op.path)
        if (op.version !== -1 && op.version !== node.version) throw new Failed(ErrorCode.BADVERSION)
        return ""
      }
      default:
        return this.create(op, session, zxid, time)
    }
  }

  private create(
    op: { readonly path: string; readonly flags: number; readonly data: Uint8Array | null },
    session: number,
    zxid: number,
    time: number
  ): Outcome {
    const parent = this.need(parentOf(op.path))
    const isSequential = op.flags === CreateMode.PERSISTENT_SEQUENTIAL || op.flags === CreateMode.EPHEMERAL_SEQUENTIAL
    const isEphemeral = op.flags === CreateMode.EPHEMERAL || op.flags === CreateMode.EPHEMERAL_SEQUENTIAL
    const path = isSequential ? `${op.path}${String(parent.creations).padStart(10, "0")}` : op.path
    if (this.nodes.has(path)) throw new Failed(ErrorCode.NODEEXISTS)
    if (parent.owner !== 0) throw new Failed(ErrorCode.NOCHILDRENFOREPHEMERALS)
    parent.creations++
    parent.pzxid = zxid
    const data = op.data === null ? null : Buffer.from(op.data).toString()
    this.nodes.set(path, fresh(isEphemeral ? session : 0, zxid, time, data))
    return path
  }

  private delete(path: string, version: number, zxid: number): Outcome {
    if (BUILT_IN.includes(path)) throw new Failed(ErrorCode.BADARGUMENTS)
    const parent = this.need(parentOf(path))
    const node = this.need(path)
    if (version !== -1 && version !== node.version) throw new Failed(ErrorCode.BADVERSION)
    if (this.children(path).length > 0) throw new Failed(ErrorCode.NOTEMPTY)
    this.nodes.delete(path)
    parent.pzxid = zxid
    return ""
  }

  /** Returns what goes with it. */
  close(session: number, zxid: number): Array<string> {
    const paths = [...this.nodes].filter(([, node]) => node.owner === session).map(([path]) => path)
    for (const path of paths) this.delete(path, -1, zxid)
    return paths.sort()
  }
}

const fresh = (owner: number, zxid: number, time: number, data: string | null): ModelNode => ({
  data,
  owner,
  version: 0,
  creations: 0,
  czxid: zxid,
  mzxid: zxid,
  pzxid: zxid,
  ctime: time,
  mtime: time
})
