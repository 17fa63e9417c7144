import {
  type Acl,
  CreateMode,
  ErrorCode,
  type MultiWrite,
  OpCode,
  type ReceivedMultiResult,
  type ReceivedStat
} from "@zkmesh/protocol"
import type { Chroot } from "./connectString.ts"
import { ZkError, ZkTransactionError } from "./errors.ts"

export interface CreateOptions {
  /** A CreateMode; PERSISTENT if left out. */
  readonly mode?: CreateMode
  /** Open to everybody if left out. */
  readonly acl?: ReadonlyArray<Acl>
  /** Milliseconds, for the two TTL modes, which need it. */
  readonly ttlMs?: number
}

export type Data = Uint8Array | string | null

export const OPEN_ACL: ReadonlyArray<Acl> = [{ perms: 31, id: { scheme: "world", id: "anyone" } }]

export const bytesOf = (data: Data): Uint8Array | null => (typeof data === "string" ? Buffer.from(data) : data)

const isTTL = (mode: number): boolean =>
  mode === CreateMode.PERSISTENT_WITH_TTL || mode === CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL

/** The operation that a create's mode asks for. */
export const createOp = (path: string, data: Data, options: CreateOptions, plain: 1 | 15): MultiWrite => {
  const flags = options.mode ?? CreateMode.PERSISTENT
  const request = { path, data: bytesOf(data), acl: options.acl ?? OPEN_ACL, flags }
  if (isTTL(flags)) {
    if (options.ttlMs === undefined) throw new TypeError("a TTL node needs ttlMs")
    return { op: OpCode.createTTL, ...request, ttl: options.ttlMs }
  }
  if (options.ttlMs !== undefined) throw new TypeError("only a TTL node has ttlMs")
  return { op: flags === CreateMode.CONTAINER ? OpCode.createContainer : plain, ...request }
}

/** What an operation of a committed transaction did, in the order of the operations. */
export type TransactionResult =
  | { readonly op: "create"; readonly path: string; readonly stat: ReceivedStat | undefined }
  | { readonly op: "setData"; readonly stat: ReceivedStat }
  | { readonly op: "delete" }
  | { readonly op: "check" }

/** The results of a transaction, or the error that says which operation failed it. */
export const transactionResults = (
  ops: ReadonlyArray<MultiWrite>,
  results: ReadonlyArray<ReceivedMultiResult>,
  chroot: Chroot
): Array<TransactionResult> => {
  const codes = results.map((result) => (result.type === OpCode.error ? result.err : 0))
  const culprit = codes.findIndex((code) => code !== 0)
  if (culprit >= 0) {
    const path = ops[culprit]?.path
    throw new ZkTransactionError(codes, culprit, path === undefined ? undefined : chroot.toClient(path))
  }
  return results.map((result): TransactionResult => {
    switch (result.type) {
      case OpCode.create:
        return { op: "create", path: chroot.toClient(result.path), stat: undefined }
      case OpCode.create2:
        return { op: "create", path: chroot.toClient(result.path), stat: result.stat }
      case OpCode.setData:
        return { op: "setData", stat: result.stat }
      case OpCode.delete:
        return { op: "delete" }
      case OpCode.check:
        return { op: "check" }
      default:
        throw new TypeError(`a transaction answered with a result of type ${result.type}`)
    }
  })
}

export interface DataAndStat {
  readonly data: Buffer | null
  readonly stat: ReceivedStat
}
/** Own memory: what is read from a socket's chunk would keep all of the chunk alive. */
export const ownData = ({ data, stat }: { data: Uint8Array | null; stat: ReceivedStat }): DataAndStat => ({
  data: data === null ? null : Buffer.from(data),
  stat
})

/** A part of a multiRead, and what comes of it. */
export interface ReadOp {
  readonly op: "getData" | "getChildren"
  readonly path: string
}
export type ReadResult = DataAndStat | { readonly children: ReadonlyArray<string> } | ZkError

export const readResults = (
  reads: ReadonlyArray<ReadOp>,
  results: ReadonlyArray<ReceivedMultiResult>
): Array<ReadResult> =>
  results.map((result, i) => {
    if (result.type === OpCode.getData) return ownData({ data: result.data, stat: result.stat })
    if (result.type === OpCode.getChildren) return { children: result.children }
    return new ZkError(result.type === OpCode.error ? result.err : ErrorCode.MARSHALLINGERROR, reads[i]?.path)
  })

/** Collects operations that happen all together or not at all; `commit` sends them. */
export class Transaction {
  private readonly ops: Array<MultiWrite> = []
  private readonly toServer: (path: string) => string
  private readonly send: (ops: ReadonlyArray<MultiWrite>) => Promise<Array<TransactionResult>>

  constructor(
    toServer: (path: string) => string,
    send: (ops: ReadonlyArray<MultiWrite>) => Promise<Array<TransactionResult>>
  ) {
    this.toServer = toServer
    this.send = send
  }

  create(path: string, data: Data = null, options: CreateOptions = {}): this {
    this.ops.push(createOp(this.toServer(path), data, options, OpCode.create))
    return this
  }
  /** As create, but the result has the new node's Stat. */
  create2(path: string, data: Data = null, options: CreateOptions = {}): this {
    this.ops.push(createOp(this.toServer(path), data, options, OpCode.create2))
    return this
  }
  delete(path: string, version: number = -1): this {
    this.ops.push({ op: OpCode.delete, path: this.toServer(path), version })
    return this
  }
  setData(path: string, data: Data, version: number = -1): this {
    this.ops.push({ op: OpCode.setData, path: this.toServer(path), data: bytesOf(data), version })
    return this
  }
  /** Fails the transaction unless the node is there, at this version if one is given. */
  check(path: string, version: number = -1): this {
    this.ops.push({ op: OpCode.check, path: this.toServer(path), version })
    return this
  }

  get size(): number {
    return this.ops.length
  }

  commit(): Promise<Array<TransactionResult>> {
    return this.send(this.ops)
  }
}
