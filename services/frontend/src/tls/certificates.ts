import type { Socket } from "node:net"
import { TLSSocket } from "node:tls"
import type { Id } from "@zkmesh/protocol"

/**
 * A subject as RFC 2253 writes it, from what Node prints: one `key=value` per line, already escaped, the most general
 * first.
 */
const distinguishedName = (subject: string): string => subject.split("\n").reverse().join(",")

/** Whom a client's certificate proves it to be; nobody without one. `superUser` is the subject that may do everything. */
export const certificateIds = (socket: Socket, superUser: string | undefined): ReadonlyArray<Id> => {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return []
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return []
  const id = distinguishedName(certificate.subject)
  const proved = { scheme: "x509", id }
  return id === superUser ? [proved, { scheme: "super", id: "" }] : [proved]
}
