/** A seeded generator (mulberry32): the whole run follows from one number. */
export class Random {
  private state: number

  constructor(seed: number) {
    this.state = seed >>> 0
  }

  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let t = this.state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  /** An integer in [low, high]. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }
  between(low: number, high: number): number {
    return low + this.next() * (high - low)
  }
  chance(probability: number): boolean {
    return this.next() < probability
  }
  pick<T>(list: ReadonlyArray<T>): T {
    return list[Math.floor(this.next() * list.length)]!
  }
}
