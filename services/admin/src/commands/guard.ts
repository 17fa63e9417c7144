/** Who may take or put back everything: whoever holds every permission on the root, as in ZooKeeper. */
import type { Identity, Stats } from "@zkmesh/messages"
import { Perms } from "@zkmesh/protocol"
import { type AclList, isAllowed } from "@zkmesh/tree"
import * as Effect from "effect/Effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { provedByCertificate } from "../https.ts"
import type { Subject } from "./command.ts"

/** The request is refused, with this status of HTTP. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  status: Schema.Int,
  message: Schema.String
}) {}

const EVERY = [Perms.READ, Perms.WRITE, Perms.CREATE, Perms.DELETE, Perms.ADMIN]

/** Succeeds if the header `Authorization: <scheme> <auth>` proves enough; for `x509` the certificate of the request does. */
export const authorized = ({ server, settings }: Subject, request: HttpServerRequest): Effect.Effect<void, Refused> =>
  Effect.gen(function* () {
    const header = request.headers["authorization"]
    if (header === undefined || header.trim() === "") {
      return yield* new Refused({ status: 401, message: "Auth info is missing for the command" })
    }
    const [, scheme = "", auth = ""] = /^\s*(\S+)\s*(.*)$/.exec(header) ?? []
    const remote = Option.getOrElse(request.remoteAddress, () => "").replace(/^::ffff:/, "")
    const address = addressOf(
      remote,
      settings.usesForwardedFor === true ? request.headers["x-forwarded-for"] : undefined
    )
    const proved = provedByCertificate(request, settings.x509SuperUser)
    const identity = server.prove([{ scheme: "ip", id: address }, ...proved], scheme.toLowerCase(), auth.trim())
    if (identity === undefined) return yield* new Refused({ status: 401, message: "Not authenticated" })
    const answered = yield* Effect.promise(() => server.ask("acl"))
    if (answered === undefined) {
      return yield* new Refused({ status: 503, message: "This ZooKeeper instance is not currently serving requests" })
    }
    if (!holdsAll(answered.stats, identity)) return yield* new Refused({ status: 403, message: "Not authorized" })
  })

/** Whose the request is: as the proxies on its way say it (the client comes first), if they are believed; else the socket's. */
export const addressOf = (remote: string, forwardedFor: string | undefined): string => {
  const client = forwardedFor
    ?.split(",")
    .map((one) => one.trim())
    .find((one) => one !== "")
  return client ?? remote
}

const holdsAll = (stats: Stats, identity: Identity): boolean => {
  const entries = stats["acl"] as ReadonlyArray<{ perms: number; scheme: string; id: string }>
  const acl: AclList = entries.map(({ perms, scheme, id }) => ({ perms, id: { scheme, id } }))
  return EVERY.every((permission) => isAllowed(acl, permission, identity))
}

/** Lets somebody in once in a while: `interval` ms at least between two. */
export class RateLimit {
  private readonly intervalMs: number
  private at = Number.NEGATIVE_INFINITY

  constructor(intervalMs: number) {
    this.intervalMs = intervalMs
  }

  admits(now: number): boolean {
    if (now - this.at < this.intervalMs) return false
    this.at = now
    return true
  }
}
