/**
 * Who did what, as ZooKeeper's audit log has it: `key=value` pairs with tabs between them. A peer writes down what its own
 * clients have asked for, once it is decided, and which ephemeral nodes went with a session.
 */
import { userInfo } from "node:os"
import type { AppliedTxn, Identity, WriteRequest } from "@zkmesh/messages"
import { hex, type SessionId } from "@zkmesh/numbers"
import {
  CreateMode,
  EventType,
  JuteError,
  JuteReader,
  type MultiWrite,
  OpCode,
  Perms,
  type RequestedAcl,
  readCreateRequest,
  readMultiRequest,
  readPathRequest,
  readSetACLRequest
} from "@zkmesh/protocol"
import type { LogContext } from "@zkmesh/telemetry"

/** The length, the xid, the zxid and the error of a reply's frame come first. */
const REPLY_HEADER = 20
const ERROR_TXN = -1

const NODE_TYPES: Readonly<Record<number, string>> = {
  [CreateMode.PERSISTENT]: "persistent",
  [CreateMode.EPHEMERAL]: "ephemeral",
  [CreateMode.PERSISTENT_SEQUENTIAL]: "persistent_sequential",
  [CreateMode.EPHEMERAL_SEQUENTIAL]: "ephemeral_sequential",
  [CreateMode.CONTAINER]: "container",
  [CreateMode.PERSISTENT_WITH_TTL]: "persistent_with_ttl",
  [CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL]: "persistent_sequential_with_ttl"
}

const LETTERS = [
  [Perms.CREATE, "c"],
  [Perms.DELETE, "d"],
  [Perms.READ, "r"],
  [Perms.WRITE, "w"],
  [Perms.ADMIN, "a"]
] as const

const aclText = (acl: ReadonlyArray<RequestedAcl>): string =>
  acl
    .map(({ perms, id }) => {
      const letters = LETTERS.map(([bit, letter]) => ((perms & bit) === 0 ? "" : letter)).join("")
      return `${id.scheme}:${id.id}:${letters}`
    })
    .join(",")

/** Names, never what proves them: of a digest the user alone. */
const usersOf = (identity: Identity): string =>
  identity
    .map(({ scheme, id }) => (scheme === "digest" ? id.split(":", 1)[0]! : id))
    .filter(Boolean)
    .join(",")

type Fields = ReadonlyArray<readonly [key: string, value: string | undefined]>

const lineOf = (fields: Fields): string =>
  fields
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${value}`)
    .join("\t")

/** Gets each line, and beside it what it is about. */
export type WriteLine = (line: string, about: LogContext) => void

export class Audit {
  private readonly write: WriteLine

  constructor(write: WriteLine) {
    this.write = write
  }

  started(): void {
    this.write(
      lineOf([
        ["user", userInfo().username],
        ["operation", "serverStart"],
        ["result", "success"]
      ]),
      {}
    )
  }

  stopped(): void {
    this.write(
      lineOf([
        ["user", userInfo().username],
        ["operation", "serverStop"],
        ["result", "invoked"]
      ]),
      {}
    )
  }

  /** A request of a client's has become what it became. */
  readonly decided = (request: WriteRequest, txn: AppliedTxn): void => {
    const result = txn.type === ERROR_TXN ? "failure" : "success"
    const { session, identity } = request
    const who: Fields = [
      ["session", hex(session)],
      ["user", usersOf(identity)],
      ["ip", identity.find(({ scheme }) => scheme === "ip")?.id]
    ]
    const about = { session, zxid: txn.zxid, traceId: request.trace?.traceId }
    for (const what of whatOf(request, txn, result)) this.write(lineOf([...who, ...what, ["result", result]]), about)
  }

  /** A session has ended, and these went with it. */
  readonly sessionEnded = (session: SessionId, events: AppliedTxn["events"]): void => {
    for (const { type, path } of events ?? []) {
      if (type !== EventType.NodeDeleted) continue
      const operation = "ephemeralZNodeDeletionOnSessionCloseOrExpire"
      this.write(
        lineOf([
          ["session", hex(session)],
          ["operation", operation],
          ["znode", path],
          ["result", "success"]
        ]),
        { session }
      )
    }
  }
}

/** What was asked for; a transaction that has been carried out part by part. */
const whatOf = (request: WriteRequest, txn: AppliedTxn, result: string): ReadonlyArray<Fields> => {
  const { op, buffer, start, end } = request
  const reader = new JuteReader(buffer, start, end)
  try {
    switch (op) {
      case OpCode.create:
      case OpCode.create2:
      case OpCode.createTTL:
      case OpCode.createContainer: {
        const { path, flags } = readCreateRequest(reader)
        return [created(createdPath(txn) ?? path, flags)]
      }
      case OpCode.delete:
        return [
          [
            ["operation", "delete"],
            ["znode", readPathRequest(reader).path]
          ]
        ]
      case OpCode.setData:
        return [
          [
            ["operation", "setData"],
            ["znode", readPathRequest(reader).path]
          ]
        ]
      case OpCode.setACL: {
        const { path, acl } = readSetACLRequest(reader)
        return [
          [
            ["operation", "setAcl"],
            ["znode", path],
            ["acl", aclText(acl ?? [])]
          ]
        ]
      }
      case OpCode.multi:
        return result === "failure" ? [[["operation", "multiOperation"]]] : readMultiRequest(reader).flatMap(partOf)
      case OpCode.reconfig:
        return [
          [
            ["operation", "reconfig"],
            ["znode", "/zookeeper/config"]
          ]
        ]
      default:
        return []
    }
  } catch (error) {
    if (error instanceof JuteError) return [[["operation", "malformed"]]]
    throw error
  }
}

const created = (path: string, flags: number): Fields => [
  ["operation", "create"],
  ["znode", path],
  ["znode_type", NODE_TYPES[flags] ?? "unknown"]
]

const partOf = (part: MultiWrite): ReadonlyArray<Fields> => {
  switch (part.op) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createTTL:
    case OpCode.createContainer:
      return [created(part.path, part.flags)]
    case OpCode.delete:
      return [
        [
          ["operation", "delete"],
          ["znode", part.path]
        ]
      ]
    case OpCode.setData:
      return [
        [
          ["operation", "setData"],
          ["znode", part.path]
        ]
      ]
    default:
      return []
  }
}

/** With the suffix of a sequential node: as the reply names it. */
const createdPath = ({ type, reply }: AppliedTxn): string | undefined =>
  type === ERROR_TXN || reply === undefined || reply.length <= REPLY_HEADER
    ? undefined
    : new JuteReader(reply, REPLY_HEADER, reply.length).string()
