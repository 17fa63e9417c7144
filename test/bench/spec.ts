export const operations = ["setData", "getData", "create", "mix"] as const
export type Operation = (typeof operations)[number]

/** One load: every session keeps `outstanding` requests on their way, to the server that it was given. */
export interface Load {
  readonly servers: ReadonlyArray<{ readonly host: string; readonly port: number }>
  readonly sessions: number
  readonly outstanding: number
  readonly op: Operation
  /** Of a mix: the share of getData; the rest is setData. */
  readonly readRatio: number
  /** Bytes of a value. */
  readonly size: number
  /** Znodes that the requests are spread over. */
  readonly nodes: number
  /** The parent of all that is made. */
  readonly root: string
  readonly warmupSeconds: number
  readonly seconds: number
  /** Processes of this machine whose CPU time is measured, from the end of the warm-up on. */
  readonly pids?: ReadonlyArray<number>
  /** The same for containers, by what they are: the files that `usageFileOf` names. */
  readonly containers?: Readonly<Record<string, ReadonlyArray<string>>>
}

/** A comparison: loads of this shape, as many turns of each as there are rounds. */
export interface Turns extends Omit<Load, "servers" | "root" | "op" | "pids" | "containers"> {
  readonly rounds: number
  readonly say: (line: string) => void
}

export interface Result {
  /** Answered requests, and how long it took. */
  readonly requests: number
  readonly seconds: number
  readonly perSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
  /** Replies that carry an error. */
  readonly errors: number
  /** Connections that the server closed while the load ran. */
  readonly lost: number
  /** CPU seconds that the load generator took: what it kept from the servers on the same machine. */
  readonly cpuSeconds: number
  /** CPU seconds of the processes that were named meanwhile; undefined if none were, or the system does not say. */
  readonly serverCpuSeconds?: number
  /** CPU seconds of the containers, by what they are. */
  readonly containerCpuSeconds?: Readonly<Record<string, number>>
}

export function parseServers(connect: string): Load["servers"] {
  return connect.split(",").map((one) => {
    const match = /^\[?([^\]]+?)\]?:(\d+)$/.exec(one.trim())
    if (match === null) throw new Error(`"${one}" is not host:port`)
    return { host: match[1]!, port: Number(match[2]) }
  })
}
