/**
 * The tree as ZooKeeper's documentation says it is, written once more and as simply as can be: what every request must
 * have answered at its place in the log, what every read must have seen at its zxid, when every watch must have fired.
 */
import type { SessionId, Zxid } from "@zkmesh/numbers"
import { ErrorCode, parentOf } from "@zkmesh/protocol"
import { isEphemeral, isSequential, type Operation, type Outcome, type Part } from "../clients/operations.ts"

interface Node {
  readonly data: string
  readonly version: number
  readonly creations: number
  readonly czxid: Zxid
  readonly mzxid: Zxid
  readonly owner: SessionId
  readonly children: ReadonlyArray<string>
}

interface Version {
  readonly zxid: Zxid
  readonly node: Node | undefined
}

const EMPTY: Node = { data: "", version: 0, creations: 0, czxid: 0, mzxid: 0, owner: 0, children: [] }
const nameIn = (path: string): string => path.slice(path.lastIndexOf("/") + 1)

class Refused {
  readonly err: number
  constructor(err: number) {
    this.err = err
  }
}

export class TreeModel {
  private readonly versions = new Map<string, Array<Version>>([["/", [{ zxid: 0, node: EMPTY }]]])
  private readonly owned = new Map<SessionId, Set<string>>()
  /** When what a data watch, or a child watch, on a path is about has happened. */
  private readonly changes = { data: new Map<string, Array<Zxid>>(), child: new Map<string, Array<Zxid>>() }

  /** Ephemeral nodes, by session. */
  ephemeralsOf(session: SessionId): ReadonlySet<string> {
    return this.owned.get(session) ?? new Set()
  }

  paths(): ReadonlyArray<string> {
    return [...this.versions.keys()].filter((path) => this.now(path) !== undefined)
  }

  /** Carries out a client's request at its place in the log; returns what it must have answered. */
  carryOut(zxid: Zxid, session: SessionId, operation: Operation): Outcome {
    switch (operation.kind) {
      case "multi":
        return this.multi(zxid, session, operation.parts)
      case "create":
      case "set":
      case "delete": {
        const undo: Array<() => void> = []
        const outcome = this.part(zxid, session, operation, undo)
        return outcome instanceof Refused ? { err: outcome.err } : outcome
      }
      case "close":
        this.closed(zxid, session)
        return { err: 0 }
      default:
        return { err: 0 }
    }
  }

  /** The session ends, and its ephemeral nodes with it. */
  closed(zxid: Zxid, session: SessionId): void {
    for (const path of [...(this.owned.get(session) ?? [])]) this.remove(zxid, path, [])
    this.owned.delete(session)
  }

  /** What a read must have answered that was made at `zxid`. */
  read(zxid: Zxid, operation: Operation): Outcome {
    if (operation.kind !== "get" && operation.kind !== "exists" && operation.kind !== "children") return { err: 0 }
    const node = this.at(operation.path, zxid)
    if (node === undefined) return { err: ErrorCode.NONODE }
    if (operation.kind === "children") return { err: 0, children: node.children }
    const { version, czxid, mzxid } = node
    return { err: 0, version, czxid, mzxid, ...(operation.kind === "get" ? { data: node.data } : {}) }
  }

  /** The first zxid after `after` at which a watch on `path` fires; undefined: not yet. */
  fires(table: "data" | "child", path: string, after: Zxid): Zxid | undefined {
    return this.changes[table].get(path)?.find((zxid) => zxid > after)
  }

  private multi(zxid: Zxid, session: SessionId, parts: ReadonlyArray<Part>): Outcome {
    const undo: Array<() => void> = []
    for (let index = 0; index < parts.length; index++) {
      const outcome = this.part(zxid, session, parts[index]!, undo)
      if (!(outcome instanceof Refused)) continue
      for (const back of undo.reverse()) back()
      const after = ErrorCode.RUNTIMEINCONSISTENCY
      return { err: 0, errors: parts.map((_, at) => (at < index ? 0 : at === index ? outcome.err : after)) }
    }
    return { err: 0, errors: parts.map(() => 0) }
  }

  private part(zxid: Zxid, session: SessionId, part: Part, undo: Array<() => void>): Outcome | Refused {
    if (part.kind === "create") return this.create(zxid, session, part, undo)
    const node = this.now(part.path)
    if (node === undefined) return new Refused(ErrorCode.NONODE)
    if (part.version !== -1 && part.version !== node.version) return new Refused(ErrorCode.BADVERSION)
    if (part.kind === "check") return { err: 0 }
    if (part.kind === "delete") {
      if (node.children.length > 0) return new Refused(ErrorCode.NOTEMPTY)
      this.remove(zxid, part.path, undo)
      return { err: 0 }
    }
    const version = node.version + 1
    this.put(zxid, part.path, { ...node, data: part.data, version, mzxid: zxid }, undo)
    this.changed("data", part.path, zxid, undo)
    return { err: 0, version }
  }

  private create(
    zxid: Zxid,
    session: SessionId,
    part: Extract<Part, { kind: "create" }>,
    undo: Array<() => void>
  ): Outcome | Refused {
    const parentPath = parentOf(part.path)
    const parent = this.now(parentPath)
    if (parent === undefined) return new Refused(ErrorCode.NONODE)
    const suffix = isSequential(part.mode) ? String(parent.creations).padStart(10, "0") : ""
    const path = part.path + suffix
    if (this.now(path) !== undefined) return new Refused(ErrorCode.NODEEXISTS)
    if (parent.owner !== 0) return new Refused(ErrorCode.NOCHILDRENFOREPHEMERALS)
    const owner = isEphemeral(part.mode) ? session : 0
    this.put(zxid, path, { ...EMPTY, data: part.data, czxid: zxid, mzxid: zxid, owner }, undo)
    const children = [...parent.children, nameIn(path)].sort()
    this.put(zxid, parentPath, { ...parent, creations: parent.creations + 1, children }, undo)
    this.changed("data", path, zxid, undo)
    this.changed("child", parentPath, zxid, undo)
    if (owner !== 0) {
      const owned = this.owned.get(owner) ?? new Set()
      this.owned.set(owner, owned.add(path))
      undo.push(() => void owned.delete(path))
    }
    return { err: 0, path }
  }

  private remove(zxid: Zxid, path: string, undo: Array<() => void>): void {
    const node = this.now(path)
    const parentPath = parentOf(path)
    const parent = this.now(parentPath)
    if (node === undefined || parent === undefined) return
    this.put(zxid, path, undefined, undo)
    const children = parent.children.filter((name) => name !== nameIn(path))
    this.put(zxid, parentPath, { ...parent, children }, undo)
    this.changed("data", path, zxid, undo)
    this.changed("child", path, zxid, undo)
    this.changed("child", parentPath, zxid, undo)
    const owned = this.owned.get(node.owner)
    if (owned?.delete(path) === true) undo.push(() => void owned.add(path))
  }

  private put(zxid: Zxid, path: string, node: Node | undefined, undo: Array<() => void>): void {
    const versions = this.versions.get(path) ?? []
    this.versions.set(path, versions)
    versions.push({ zxid, node })
    undo.push(() => void versions.pop())
  }

  private changed(table: "data" | "child", path: string, zxid: Zxid, undo: Array<() => void>): void {
    const zxids = this.changes[table].get(path) ?? []
    this.changes[table].set(path, zxids)
    zxids.push(zxid)
    undo.push(() => void zxids.pop())
  }

  private now(path: string): Node | undefined {
    return this.versions.get(path)?.at(-1)?.node
  }

  private at(path: string, zxid: Zxid): Node | undefined {
    const versions = this.versions.get(path)
    if (versions === undefined) return undefined
    for (let index = versions.length - 1; index >= 0; index--) {
      if (versions[index]!.zxid <= zxid) return versions[index]!.node
    }
    return undefined
  }
}
