/** How V8's own sampling profiler has seen a process spend its time: `--cpu-prof`, read after its clean end. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** Microseconds of the system's monotonic clock, which the profiler goes by, too. */
export interface Span {
  readonly from: number
  readonly to: number
}

interface Profile {
  readonly nodes: ReadonlyArray<{
    readonly id: number
    readonly callFrame: Frame
    readonly children?: ReadonlyArray<number>
  }>
  readonly startTime: number
  readonly samples: ReadonlyArray<number>
  readonly timeDeltas: ReadonlyArray<number>
}

interface Frame {
  readonly functionName: string
  readonly url: string
}

/** Often enough for a share of a minute, seldom enough for processes that have nothing to do. */
const EVERY_US = 4000

/** For NODE_OPTIONS: the process leaves its profile in `directory` when it ends by itself. */
export const profiling = (directory: string): string =>
  `--cpu-prof --cpu-prof-interval=${EVERY_US} --cpu-prof-dir=${directory}`

export const monotonicMicros = (): number => Number(process.hrtime.bigint() / 1000n)

export interface Shares {
  /** In code in the files that were asked for, and in what it calls. */
  readonly own: number
  /** In the garbage collector, whoever made the garbage. */
  readonly collector: number
}

/** Shares of the time that all profiled processes were busy within `spans`; `isOf` tells the files that are asked for. */
export const sharesOf = (directory: string, spans: ReadonlyArray<Span>, isOf: (url: string) => boolean): Shares => {
  let busy = 0
  let own = 0
  let collector = 0
  for (const name of readdirSync(directory)) {
    const profile: Profile = JSON.parse(readFileSync(join(directory, name), "utf8"))
    const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]))
    const isOwn = ownNodes(profile, isOf)
    let at = profile.startTime
    profile.samples.forEach((sample, i) => {
      const took = profile.timeDeltas[i]!
      at += took
      if (!spans.some(({ from, to }) => at >= from && at <= to)) return
      const { functionName } = frames.get(sample)!
      if (functionName === "(idle)") return
      busy += took
      if (functionName === "(garbage collector)") collector += took
      else if (isOwn.has(sample)) own += took
    })
  }
  if (busy === 0) throw new Error(`no profile in ${directory} has been taken while the load ran`)
  return { own: own / busy, collector: collector / busy }
}

/** The nodes of the tree of calls that are such code, or below it. A caller comes before those that it calls. */
const ownNodes = ({ nodes }: Profile, isOf: (url: string) => boolean): ReadonlySet<number> => {
  const own = new Set<number>()
  for (const { id, callFrame, children } of nodes) {
    if (isOf(callFrame.url)) own.add(id)
    if (own.has(id)) for (const child of children ?? []) own.add(child)
  }
  return own
}
