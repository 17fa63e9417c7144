import { randomBytes } from "node:crypto"
import type { Identity } from "@zkmesh/messages"
import { ErrorCode, type Id, JuteError, JuteReader } from "@zkmesh/protocol"
import { DigestServer, SaslError } from "@zkmesh/sasl"
import type { Authentication, SaslUsers } from "./options.ts"
import { authenticate, type MALFORMED, withIds } from "./packet.ts"

/** What every client of ZooKeeper takes a server without a Kerberos name for. */
const SERVICE = "zookeeper"
const HOST = "zk-sasl-md5"

export type SaslAnswer =
  /** What is said next, if anything, and who the connection is then. */
  | { readonly _tag: "Token"; readonly token: Uint8Array | null; readonly identity: Identity }
  /** The connection ends with this error. */
  | { readonly _tag: "Failed"; readonly code: ErrorCode; readonly reason: string }

/** Finds out who clients are. */
export class Authenticator {
  private readonly options: Authentication

  constructor(options: Authentication) {
    this.options = options
  }

  /** Whether the connection has proved enough to be served. */
  isEnough(identity: Identity): boolean {
    const { required } = this.options
    return required.length === 0 || identity.some(({ scheme }) => required.includes(scheme))
  }

  /** The identity after an auth packet; undefined if it proves nothing, and ends the connection, as one does that is none. */
  packet(identity: Identity, buffer: Uint8Array, start: number, end: number): Identity | typeof MALFORMED | undefined {
    return authenticate(identity, this.options, buffer, start, end)
  }

  /** A connection's own exchange; undefined if there is nobody whom it could prove anything to. */
  exchange(): DigestServer | undefined {
    const { sasl } = this.options
    if (sasl === undefined) return undefined
    const nonce = randomBytes(24).toString("base64")
    const passwordOf = (user: string) => sasl.passwords.get(user)
    return new DigestServer({ service: SERVICE, host: HOST, realm: HOST, nonce, passwordOf })
  }

  /** Goes on with an exchange: `[start, end)` is the body of the client's request. */
  sasl(
    exchange: DigestServer | undefined,
    identity: Identity,
    buffer: Uint8Array,
    start: number,
    end: number
  ): SaslAnswer {
    const { sasl, allowsFailedSasl, required } = this.options
    if (exchange === undefined || sasl === undefined) return { _tag: "Token", token: null, identity }
    try {
      const verdict = exchange.step(new JuteReader(buffer, start, end).buffer() ?? new Uint8Array(0))
      if (verdict._tag === "Challenge") return { _tag: "Token", token: verdict.token, identity }
      return { _tag: "Token", token: verdict.token, identity: withIds(identity, idsOf(verdict.user, sasl)) }
    } catch (error) {
      if (!(error instanceof SaslError || error instanceof JuteError)) throw error
      const isRequired = required.includes("sasl")
      if (allowsFailedSasl && !isRequired) return { _tag: "Token", token: null, identity }
      const code = isRequired ? ErrorCode.SESSIONCLOSEDREQUIRESASLAUTH : ErrorCode.AUTHFAILED
      return { _tag: "Failed", code, reason: error.message }
    }
  }
}

const idsOf = (user: string, { superUsers }: SaslUsers): ReadonlyArray<Id> => {
  const proved = { scheme: "sasl", id: user }
  return superUsers.has(user) ? [proved, { scheme: "super", id: "" }] : [proved]
}
