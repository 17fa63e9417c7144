/**
 * Quotas (client-protocol.md §17): a limit is a znode that a client writes, and so is the usage, which every peer keeps up
 * to date by itself as it applies transactions. Nothing else is remembered but which paths have a limit, so all that
 * there is to know is in the tree, and equal on every peer.
 */
import { nameOf, parentOf } from "@zkmesh/protocol"
import type { Nodes } from "./nodes.ts"
import { Field, type Slot } from "./rows.ts"

const QUOTA_ROOT = "/zookeeper/quota"
const LIMITS = "zookeeper_limits"
const STATS = "zookeeper_stats"
const UNSET = -1

/** `count=N,bytes=M`, and after `=` whatever other keys there are, each behind a `;`. */
export class QuotaText {
  private readonly values = new Map<string, number>()

  constructor(text: string) {
    for (const pair of text.split(/[,;]+/)) {
      const [key, value] = pair.split("=")
      if (key === undefined || key === "") continue
      const number = value === undefined || value === "" ? UNSET : Number(value)
      // A client may write anything there, and nothing that it writes may stop a peer.
      this.values.set(key, Number.isSafeInteger(number) ? number : UNSET)
    }
  }

  get(key: string): number {
    return this.values.get(key) ?? UNSET
  }

  add(key: string, difference: number): void {
    this.values.set(key, this.get(key) + difference)
  }

  toString(): string {
    const others = [...this.values.keys()].filter((key) => key !== "count" && key !== "bytes").sort()
    const base = `count=${this.get("count")},bytes=${this.get("bytes")}`
    return others.length === 0 ? base : `${base}=${others.map((key) => `;${key}=${this.get(key)}`).join("")}`
  }
}

/** By the first element of their paths, the sums of all that have a quota. */
export type QuotaSums = Readonly<
  Record<"countLimit" | "bytesLimit" | "countUsage" | "bytesUsage", Record<string, number>>
>

export class Quotas {
  private readonly nodes: Nodes
  private readonly write: (slot: Slot, path: string, text: string) => void
  /** The paths that have a limit. */
  private readonly limited = new Set<string>()

  /** `write` replaces a znode's value, and changes nothing else about it. */
  constructor(nodes: Nodes, write: (slot: Slot, path: string, text: string) => void) {
    this.nodes = nodes
    this.write = write
  }

  get size(): number {
    return this.limited.size
  }

  /** A znode has been created, its value of so many bytes in place. */
  created(path: string, bytes: number): void {
    if (path.startsWith(QUOTA_ROOT)) this.quotaChanged(path, true)
    if (this.limited.size > 0) this.use(path, 1, bytes)
  }

  /** A znode with a value of so many bytes has gone. */
  deleted(path: string, bytes: number): void {
    if (path.startsWith(QUOTA_ROOT)) this.quotaChanged(path, false)
    if (this.limited.size > 0) this.use(path, -1, -bytes)
  }

  /** A znode's value has grown by so many bytes. */
  resized(path: string, bytes: number): void {
    if (this.limited.size > 0) this.use(path, 0, bytes)
  }

  private quotaChanged(path: string, isThere: boolean): void {
    const limited = parentOf(path).slice(QUOTA_ROOT.length)
    if (limited === "") return
    const name = nameOf(path)
    if (name === LIMITS) {
      if (isThere) this.limited.add(limited)
      else this.limited.delete(limited)
    }
    // The usage is what it is, whatever the client has written there.
    if (name === STATS && isThere) this.write(this.nodes.findPath(path), path, this.count(limited))
  }

  private count(path: string): string {
    const slot = this.nodes.findPath(path)
    const usage = new QuotaText("count=0,bytes=0")
    if (slot !== 0) {
      this.nodes.visit(slot, (node) => {
        usage.add("count", 1)
        usage.add("bytes", this.nodes.rows.get(node, Field.dataLength))
      })
    }
    return usage.toString()
  }

  private use(path: string, count: number, bytes: number): void {
    const limited = this.nearest(path)
    if (limited === undefined) return
    const statsPath = `${QUOTA_ROOT}${limited}/${STATS}`
    const slot = this.nodes.findPath(statsPath)
    if (slot === 0) return
    const usage = new QuotaText(this.nodes.text(slot))
    usage.add("count", count)
    usage.add("bytes", bytes)
    this.write(slot, statsPath, usage.toString())
  }

  /** The path itself or its nearest ancestor that has a limit. */
  private nearest(path: string): string | undefined {
    for (let at = path; at !== "/"; at = parentOf(at)) if (this.limited.has(at)) return at
    return undefined
  }

  private text(limited: string, name: typeof LIMITS | typeof STATS): QuotaText {
    const slot = this.nodes.findPath(`${QUOTA_ROOT}${limited}/${name}`)
    return new QuotaText(slot === 0 ? "" : this.nodes.text(slot))
  }

  /** What is allowed and what is used, for monitoring: a hard limit rather than a soft one where there are both. */
  sums(): QuotaSums {
    const sums: QuotaSums = { countLimit: none(), bytesLimit: none(), countUsage: none(), bytesUsage: none() }
    for (const limited of this.limited) {
      const namespace = limited.split("/", 2)[1]!
      const limits = this.text(limited, LIMITS)
      const usage = this.text(limited, STATS)
      const limitOf = (hardKey: string, key: string): number => {
        const hard = limits.get(hardKey)
        return hard > UNSET ? hard : limits.get(key)
      }
      add(sums.countLimit, namespace, limitOf("countHardLimit", "count"))
      add(sums.bytesLimit, namespace, limitOf("byteHardLimit", "bytes"))
      add(sums.countUsage, namespace, usage.get("count"))
      add(sums.bytesUsage, namespace, usage.get("bytes"))
    }
    return sums
  }

  /** True if so much more is beyond a hard limit. A soft limit is a wish. */
  exceeds(path: string, count: number, bytes: number): boolean {
    if (this.limited.size === 0) return false
    const limited = this.nearest(path)
    if (limited === undefined) return false
    const limits = this.text(limited, LIMITS)
    const usage = this.text(limited, STATS)
    const isBeyond = (key: string, hardKey: string, difference: number): boolean => {
      const limit = limits.get(hardKey)
      return difference !== 0 && limit > UNSET && usage.get(key) + difference > limit
    }
    return isBeyond("count", "countHardLimit", count) || isBeyond("bytes", "byteHardLimit", bytes)
  }

  /** Finds the limits of a tree that has been loaded. */
  rebuild(): void {
    this.limited.clear()
    const root = this.nodes.findPath(QUOTA_ROOT)
    this.nodes.visit(root, (slot) => {
      if (this.nodes.name(slot) !== LIMITS) return
      const limited = this.nodes.path(this.nodes.rows.get(slot, Field.parent)).slice(QUOTA_ROOT.length)
      if (limited !== "") this.limited.add(limited)
    })
  }
}

/** Without what every object inherits: a znode may be called `constructor`. */
const none = (): Record<string, number> => Object.create(null)

const add = (sums: Record<string, number>, namespace: string, value: number): void => {
  if (value > UNSET) sums[namespace] = (sums[namespace] ?? 0) + value
}
