import type { ConnectionThrottle as Options } from "./options.ts"

/**
 * Limits how fast sessions are asked for (ZooKeeper's BlueThrottle): a bucket of tokens that fills with time, and, if it
 * is asked for, a probability of being turned away that rises while the bucket is empty and falls while it is full.
 */
export class ConnectionThrottle {
  private readonly options: Options
  private readonly random: () => number
  private tokens: number
  private filledAt: number
  private adaptedAt: number
  private probability = 0

  /** `now`: monotonic, milliseconds; `random`: evenly in [0, 1). */
  constructor(options: Options, now: number, random: () => number) {
    this.options = options
    this.random = random
    this.tokens = options.tokens
    this.filledAt = this.adaptedAt = now
  }

  /** How likely a handshake is turned away by chance. */
  get dropProbability(): number {
    return this.probability
  }

  /** How many tokens are missing. */
  get deficit(): number {
    return this.options.tokens - this.tokens
  }

  /** Whether a handshake of this kind may go on now. */
  admits(kind: "global" | "local" | "renew", now: number): boolean {
    const { tokens: size, weights, freezeMs } = this.options
    if (size === 0) return true
    this.fill(now)
    if (freezeMs >= 0 && this.isUnlucky(now)) return false
    const price = weights === undefined ? 1 : weights[kind]
    if (this.tokens < price) return false
    this.tokens -= price
    return true
  }

  private fill(now: number): void {
    const { tokens: size, fillMs, fillCount } = this.options
    const elapsed = now - this.filledAt
    if (elapsed < fillMs) return
    this.tokens = Math.min(size, this.tokens + Math.floor((elapsed * fillCount) / fillMs))
    this.filledAt = now
  }

  private isUnlucky(now: number): boolean {
    const { tokens: size, freezeMs, dropIncrease, dropDecrease, decreaseRatio } = this.options
    if (now - this.adaptedAt > freezeMs) {
      const gone = size - this.tokens
      if (gone === size) this.probability = Math.min(1, this.probability + dropIncrease)
      else if (gone <= Math.round(size * decreaseRatio)) this.probability = Math.max(0, this.probability - dropDecrease)
      this.adaptedAt = now
    }
    return this.random() < this.probability
  }
}
