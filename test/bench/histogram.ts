const SUB_BITS = 7
const SUB = 1 << SUB_BITS
const BUCKETS = (31 - SUB_BITS) * SUB + 2 * SUB

/**
 * Latencies in microseconds, in buckets that are never wider than 1/128 of their value (as HdrHistogram's are): to
 * record one is an addition, and the memory stays the same for a run of any length.
 */
export class Histogram {
  private readonly counts = new Float64Array(BUCKETS)
  count = 0
  max = 0

  record(micros: number, times: number): void {
    const value = micros < 0 ? 0 : micros > 0x7fffffff ? 0x7fffffff : micros | 0
    const shift = value < SUB ? 0 : 31 - Math.clz32(value) - SUB_BITS
    this.counts[shift * SUB + (value >>> shift)]! += times
    this.count += times
    if (value > this.max) this.max = value
  }

  reset(): void {
    this.counts.fill(0)
    this.count = 0
    this.max = 0
  }

  /** The latency that a share `quantile` of all does not exceed. */
  percentile(quantile: number): number {
    const wanted = Math.max(1, Math.ceil(quantile * this.count))
    let seen = 0
    for (let index = 0; index < BUCKETS; index++) {
      seen += this.counts[index]!
      if (seen >= wanted) return Math.min(this.max, upperEnd(index))
    }
    return this.max
  }
}

function upperEnd(index: number): number {
  if (index < 2 * SUB) return index
  const shift = Math.floor(index / SUB) - 1
  return (index - shift * SUB + 1) * 2 ** shift - 1
}
