/**
 * Bytes read and written by top-level znode. A path is recognised by its bytes: no string is made of it, and nothing is
 * allocated but once for each namespace.
 */
import type { Counter, Family, Registry, Summary } from "@zkmesh/metrics"
import type { Traffic } from "@zkmesh/tree"

const SLASH = 0x2f
/** Namespaces that are counted at a time. Of more, those that have been used least lately are forgotten, with their counts. */
const MAX_NAMESPACES = 1000

class Namespace {
  readonly name: Uint8Array
  readonly label: string
  readonly hash: number
  /** Another one of the same hash. */
  next: Namespace | undefined
  reads: Summary | undefined
  writes: Summary | undefined
  /** Used again since it was last considered for being forgotten. */
  isRecent = false

  constructor(name: Uint8Array, hash: number) {
    this.name = name
    this.label = Buffer.from(name).toString()
    this.hash = hash
  }

  /** Whether the component that begins at `start` is this one's name. */
  covers(path: Uint8Array, start: number, end: number): boolean {
    const { name } = this
    const stop = start + name.length
    if (stop > end || (stop < end && path[stop] !== SLASH)) return false
    for (let i = 0; i < name.length; i++) if (path[start + i] !== name[i]) return false
    return true
  }
}

export class Namespaces implements Traffic {
  private readonly bytesRead: Family<Summary>
  private readonly bytesWritten: Family<Summary>
  private readonly exceeded: Family<Counter>
  private readonly limit: number
  private readonly byHash = new Map<number, Namespace>()
  /** All of them; who is considered for being forgotten next comes first. */
  private queue: Array<Namespace> = []
  /** The one that was used last: most often it is the next one, too. */
  private last: Namespace | undefined

  /** `limit`: how many are counted at a time. */
  constructor(metrics: Registry, limit: number = MAX_NAMESPACES) {
    this.bytesRead = metrics.summaries("read_per_namespace")
    this.bytesWritten = metrics.summaries("write_per_namespace")
    this.exceeded = metrics.counters("quota_exceeded_error_per_namespace")
    this.limit = limit
    // A service that is built again goes on with what the one before it has counted.
    for (const family of this.families) for (const [label] of [...family.entries()]) this.named(`/${label}`)
  }

  private get families(): ReadonlyArray<Family<Summary> | Family<Counter>> {
    return [this.bytesRead, this.bytesWritten, this.exceeded]
  }

  read = (path: Uint8Array, start: number, end: number, bytes: number): void => {
    const namespace = this.at(path, start, end)
    if (namespace === undefined) return
    namespace.reads ??= this.bytesRead.of(namespace.label)
    namespace.reads.record(end - start + bytes)
  }

  readPath = (path: string, bytes: number): void => {
    const encoded = Buffer.from(path)
    this.read(encoded, 0, encoded.length, bytes)
  }

  wrote = (path: Uint8Array, start: number, end: number, bytes: number): void => {
    const namespace = this.at(path, start, end)
    if (namespace === undefined) return
    namespace.writes ??= this.bytesWritten.of(namespace.label)
    namespace.writes.record(end - start + bytes)
  }

  exceededQuota = (path: string): void => {
    const namespace = this.named(path)
    if (namespace !== undefined) this.exceeded.of(namespace.label).add()
  }

  private named(path: string): Namespace | undefined {
    const encoded = Buffer.from(path)
    return this.at(encoded, 0, encoded.length)
  }

  /** The namespace of the path `path[start, end)`; the root has none. */
  private at(path: Uint8Array, start: number, end: number): Namespace | undefined {
    const first = start + 1
    if (first >= end) return undefined
    const { last } = this
    if (last?.covers(path, first, end)) return last
    let hash = 0x811c9dc5
    let stop = first
    for (; stop < end && path[stop] !== SLASH; stop++) hash = Math.imul(hash ^ path[stop]!, 0x01000193)
    let found = this.byHash.get(hash)
    while (found !== undefined && !found.covers(path, first, end)) found = found.next
    if (found !== undefined) found.isRecent = true
    this.last = found ?? this.add(Uint8Array.from(path.subarray(first, stop)), hash)
    return this.last
  }

  private add(name: Uint8Array, hash: number): Namespace {
    if (this.queue.length >= this.limit) this.forgetOne()
    const added = new Namespace(name, hash)
    added.next = this.byHash.get(hash)
    this.byHash.set(hash, added)
    this.queue.push(added)
    return added
  }

  private forgetOne(): void {
    this.last = undefined
    let at = 0
    while (this.queue[at % this.queue.length]!.isRecent) this.queue[at++ % this.queue.length]!.isRecent = false
    at %= this.queue.length
    const [forgotten] = this.queue.splice(at, 1)
    // Whoever was spared this time is considered after all others the next time.
    this.queue = [...this.queue.slice(at), ...this.queue.slice(0, at)]
    this.unlink(forgotten!)
    for (const family of this.families) family.drop(forgotten!.label)
  }

  private unlink(namespace: Namespace): void {
    const first = this.byHash.get(namespace.hash)
    if (first !== namespace) {
      let before = first!
      while (before.next !== namespace) before = before.next!
      before.next = namespace.next
    } else if (namespace.next === undefined) this.byHash.delete(namespace.hash)
    else this.byHash.set(namespace.hash, namespace.next)
  }
}
