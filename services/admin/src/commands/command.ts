/** What a command of the admin server is: ZooKeeper's, by its names, with its answer as JSON. */
import type { Member } from "@zkmesh/membership"
import type { Stats } from "@zkmesh/messages"
import type { Answered, Frontends } from "@zkmesh/service-frontend"

/** What the commands speak of. */
export interface Subject {
  /** The frontends of the same server; the peer behind them is asked. */
  readonly server: Frontends
  readonly settings: AdminSettings
}

export interface AdminSettings {
  /** This server's id; 0 if it belongs to no peer, or stands alone. */
  readonly sid: number
  /** The lines of `conf`. */
  readonly configuration: ReadonlyArray<readonly [key: string, value: string | number]>
  /** Every key that is in force, without its secrets. */
  readonly properties: Readonly<Record<string, string>>
  /** The text of the file that it was started with; empty if there was none. */
  readonly initialConfiguration: string
  /** The members as they were configured: `server.N` lines. */
  readonly members: ReadonlyArray<Member>
  /** The subject of a certificate that may do everything. */
  readonly x509SuperUser?: string | undefined
  /** Whether whoever asks is where the header `X-Forwarded-For` says. */
  readonly usesForwardedFor?: boolean
}

export type Params = Readonly<Record<string, string>>

/** What a command answers; `error` if it could not. */
export type Answer = Readonly<Record<string, unknown>> & { readonly error?: string | null }

export interface Command {
  /** The first is the one that it is listed by. */
  readonly names: readonly [string, ...Array<string>]
  /** Which question the peer is asked first; undefined: it is answered by a server that serves nobody, too. */
  readonly asks: "stats" | "watches" | "sessions" | "digests" | "reset" | undefined
  readonly answer: (subject: Subject, answered: Answered | undefined, params: Params) => Answer
}

/** A command that needs a serving peer: `answer` gets what it has said. */
export const asking = (
  names: Command["names"],
  asks: NonNullable<Command["asks"]>,
  answer: (subject: Subject, answered: Answered, params: Params) => Answer
): Command => ({ names, asks, answer: (subject, answered, params) => answer(subject, answered!, params) })

/** A command that is answered in any case. */
export const always = (names: Command["names"], answer: (subject: Subject, params: Params) => Answer): Command => ({
  names,
  asks: undefined,
  answer: (subject, _answered, params) => answer(subject, params)
})

export const number = (stats: Stats, key: string, otherwise = 0): number => {
  const value = stats[key]
  return typeof value === "number" ? value : otherwise
}
export const text = (stats: Stats, key: string): string => {
  const value = stats[key]
  return typeof value === "string" ? value : ""
}
export const list = (stats: Stats, key: string): ReadonlyArray<Stats> => {
  const value = stats[key]
  return Array.isArray(value) ? (value as ReadonlyArray<Stats>) : []
}
export const words = (stats: Stats, key: string): ReadonlyArray<string> => {
  const value = stats[key]
  return Array.isArray(value) ? (value as ReadonlyArray<string>) : []
}
