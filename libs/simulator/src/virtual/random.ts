/** Random numbers from a seed: what a run needs besides its code. */
export class Random {
  private state: number

  constructor(seed: number) {
    this.state = (Math.imul(seed, 0x9e37_79b1) ^ 0x5bd1_e995) >>> 0
  }

  /** A source of its own for a part of the run, so that what happens elsewhere does not change its numbers. */
  static of(seed: number, part: string): Random {
    let hash = 0x811c_9dc5 ^ seed
    for (let index = 0; index < part.length; index++) hash = Math.imul(hash ^ part.charCodeAt(index), 0x0100_0193)
    return new Random(hash >>> 0)
  }

  /** In [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b_79f5) >>> 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low)
  }

  /** A whole number, both ends included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(among: ReadonlyArray<T>): T {
    return among[Math.floor(this.next() * among.length)]!
  }

  bytes(size: number): Uint8Array {
    return Uint8Array.from({ length: size }, () => this.int(0, 255))
  }
}
