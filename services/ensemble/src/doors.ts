/** Where the clients of a frontend come in: a plain port, a TLS port, or both, each a frontend of its own. */
import type { Authentication, FrontendTls } from "@zkmesh/service-frontend"
import type { Endpoint } from "./ports.ts"

export interface Door {
  readonly endpoint: Endpoint
  /** undefined: plain alone. */
  readonly tls: FrontendTls | undefined
  readonly authentication: Authentication
}

/** The doors at these endpoints. `secure` has been asked for exactly if there are certificates. */
export const doorsAt = (
  plain: Endpoint | undefined,
  secure: Endpoint | undefined,
  tls: FrontendTls | undefined,
  authentication: Authentication
): ReadonlyArray<Door> => [
  ...(plain === undefined ? [] : [{ endpoint: plain, tls: tls?.unified === true ? tls : undefined, authentication }]),
  ...(secure === undefined || tls === undefined
    ? []
    : [{ endpoint: secure, tls: { ...tls, unified: false }, authentication }])
]

/** Whether nobody comes in without TLS. */
export const isSecure = ({ tls }: Door): boolean => tls !== undefined && tls.unified !== true

/** Each door's frontend has an address of its own on the bus. */
export const doorName = (name: string, door: Door): string => (isSecure(door) ? `${name}-tls` : name)
