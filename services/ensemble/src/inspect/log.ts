/** `log`: what has happened, a line for each transaction, as ZooKeeper's log toolkit prints it. */
import { hex, type Zxid } from "@zkmesh/numbers"
import type { Inspection, StoreError } from "@zkmesh/store"
import { describeTxn } from "@zkmesh/tree"
import { EntryReader } from "@zkmesh/txn"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

export interface LogQuery {
  /** The first and last zxid of interest. */
  readonly from: Zxid
  readonly to: Zxid
  readonly session: number | undefined
  /** This znode and everything below it. */
  readonly path: string | undefined
  /** At most as many lines. */
  readonly limit: number
}

const isWithin = (path: string, root: string): boolean => root === "/" || path === root || path.startsWith(`${root}/`)

/** The line of the transaction at which the reader stands; undefined if nobody asked for it. */
export const formatEntry = (entry: EntryReader, { session, path }: LogQuery): string | undefined => {
  if (session !== undefined && entry.session !== session) return undefined
  const { paths, text } = describeTxn(entry)
  if (path !== undefined && !paths.some((one) => isWithin(one, path))) return undefined
  const time = new Date(entry.time).toISOString()
  const cxid = `0x${(entry.cxid >>> 0).toString(16)}`
  return `${time} session ${hex(entry.session)} cxid ${cxid} zxid ${hex(entry.zxid)} ${text}`
}

/** Prints what is asked for; returns how many transactions that were. */
export const printLog = (inspection: Inspection, query: LogQuery): Effect.Effect<number, StoreError> =>
  Effect.gen(function* () {
    const { floor, last } = inspection
    if (query.from <= floor && floor > 0) {
      yield* Console.error(`the log begins after ${hex(floor)}: what was before has been purged`)
    }
    let printed = 0
    for (let after = Math.max(floor, query.from - 1); after < Math.min(last, query.to); ) {
      const batches = yield* inspection.read(after)
      if (batches.length === 0) break
      const lines: Array<string> = []
      for (const batch of batches) {
        const entry = new EntryReader(batch.bytes)
        while (entry.next() && entry.zxid <= query.to && printed + lines.length < query.limit) {
          if (entry.zxid < query.from) continue
          const line = formatEntry(entry, query)
          if (line !== undefined) lines.push(line)
        }
        after = batch.last
      }
      printed += lines.length
      if (lines.length > 0) yield* Console.log(lines.join("\n"))
      if (printed >= query.limit) break
    }
    return printed
  })
