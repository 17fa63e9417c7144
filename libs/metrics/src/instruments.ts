/** What is counted and measured on the way of a request: plain numbers, no allocation, no clock. */

export class Counter {
  value = 0

  add(count = 1): void {
    this.value += count
  }
}

/** How often, how much together, and the extremes. */
export class Summary {
  count = 0
  sum = 0
  min = 0
  max = 0

  /** `count` events had this value each. */
  record(value: number, count = 1): void {
    if (this.count === 0 || value < this.min) this.min = value
    if (value > this.max || this.count === 0) this.max = value
    this.count += count
    this.sum += value * count
  }

  get average(): number {
    return this.count === 0 ? 0 : this.sum / this.count
  }

  reset(): void {
    this.count = this.sum = this.min = this.max = 0
  }
}

/** A value is kept to one part in 16: four bits behind the first one. */
const SUB_BITS = 4
const SUBS = 1 << SUB_BITS
const BUCKETS = (32 - SUB_BITS) * SUBS
/** Values are kept in thousandths: of a millisecond, where they are times. */
const UNIT = 1000
const LARGEST = 2 ** 31 - 1

const bucketOf = (value: number): number => {
  const scaled = value <= 0 ? 0 : Math.min(LARGEST, Math.round(value * UNIT))
  if (scaled < SUBS) return scaled
  const exponent = 31 - Math.clz32(scaled)
  return ((exponent - SUB_BITS + 1) << SUB_BITS) + ((scaled >>> (exponent - SUB_BITS)) & (SUBS - 1))
}

/** The middle of what a bucket holds. */
const middleOf = (bucket: number): number => {
  if (bucket < SUBS) return bucket / UNIT
  const shift = (bucket >>> SUB_BITS) - 1
  return ((((bucket & (SUBS - 1)) | SUBS) + 0.5) * 2 ** shift) / UNIT
}

/** A summary that knows its quantiles, over the time between the last two turns or longer. */
export class Distribution extends Summary {
  private current = new Float64Array(BUCKETS)
  private previous = new Float64Array(BUCKETS)

  override record(value: number, count = 1): void {
    super.record(value, count)
    this.current[bucketOf(value)]! += count
  }

  /** Forgets what was recorded before the turn before. */
  turn(): void {
    const { previous } = this
    this.previous = this.current
    this.current = previous.fill(0)
  }

  /** The values below which these parts (ascending, 0 to 1) of all recent ones lie; 0 if there are none. */
  quantiles(parts: ReadonlyArray<number>): Array<number> {
    const { current, previous } = this
    let total = 0
    for (let i = 0; i < BUCKETS; i++) total += current[i]! + previous[i]!
    const values: Array<number> = []
    let bucket = 0
    let below = total === 0 ? 0 : current[0]! + previous[0]!
    for (const part of parts) {
      const wanted = part * total
      while (bucket < BUCKETS - 1 && below < wanted) {
        bucket++
        below += current[bucket]! + previous[bucket]!
      }
      values.push(total === 0 ? 0 : Math.min(middleOf(bucket), this.max))
    }
    return values
  }

  override reset(): void {
    super.reset()
    this.current.fill(0)
    this.previous.fill(0)
  }
}

/** Instruments of one kind, one for each value of a label: a peer's id, a namespace. */
export class Family<I> {
  private readonly members = new Map<string, I>()
  private readonly make: () => I

  constructor(make: () => I) {
    this.make = make
  }

  of(label: string): I {
    let member = this.members.get(label)
    if (member === undefined) {
      member = this.make()
      this.members.set(label, member)
    }
    return member
  }

  /** What is labelled so is over. */
  drop(label: string): void {
    this.members.delete(label)
  }

  entries(): IterableIterator<[string, I]> {
    return this.members.entries()
  }

  get size(): number {
    return this.members.size
  }
}
