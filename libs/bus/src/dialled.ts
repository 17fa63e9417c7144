import type { Address, Link, LinkEvent } from "./bus.ts"

const FIRST_RETRY_MS = 20
const LAST_RETRY_MS = 1000

/** A neighbour to dial: where, and anything by which two wishes for the same address differ. */
export interface Wish {
  readonly address: Address
  readonly for: unknown
}

/**
 * A link that an actor dials: kept open to whom it is wanted to, dialled again for ever when it breaks, each time
 * after a longer pause. Events of links that are not wanted any more are nobody's.
 */
export class Dialled<Up, Down> {
  private readonly dial: (to: Address) => Link<Up>
  private readonly now: () => number
  private readonly later: (ms: number) => () => void
  private wish: Wish | undefined
  private dialling: Link<Up> | undefined
  private openedAt: number | undefined
  private pauseMs = FIRST_RETRY_MS
  private cancelRetry = () => {}

  /** `later` has `redial` called after so many milliseconds, and returns its cancellation. */
  constructor(now: () => number, later: (ms: number) => () => void, dial: (to: Address) => Link<Up>) {
    this.now = now
    this.later = later
    this.dial = dial
  }

  /** The link, while it is open. */
  get link(): Link<Up> | undefined {
    return this.openedAt === undefined ? undefined : this.dialling
  }

  /** Wants a link to that neighbour, or none; true if that ended the one that was open. */
  want(wish: Wish | undefined): boolean {
    if (wish?.address === this.wish?.address && wish?.for === this.wish?.for) return false
    const wasOpen = this.openedAt !== undefined
    const before = this.dialling
    this.wish = wish
    this.dialling = this.openedAt = undefined
    this.pauseMs = FIRST_RETRY_MS
    this.cancelRetry()
    before?.break("not wanted any more")
    this.redial()
    return wasOpen
  }

  /** Dials if there is somebody to dial and nothing under way. */
  redial(): void {
    if (this.wish !== undefined && this.dialling === undefined) this.dialling = this.dial(this.wish.address)
  }

  /** What an event means for the wanted link: the messages that came, that it opened or broke, or nothing at all. */
  take(event: LinkEvent<Down, Up>): "opened" | "broken" | ReadonlyArray<Down> | undefined {
    if (event.link !== this.dialling) return undefined
    if (event._tag === "Received") return event.messages
    if (event._tag === "Opened") {
      this.openedAt = this.now()
      return "opened"
    }
    const livedMs = this.openedAt === undefined ? 0 : this.now() - this.openedAt
    this.pauseMs = livedMs >= LAST_RETRY_MS ? FIRST_RETRY_MS : this.pauseMs
    this.dialling = this.openedAt = undefined
    this.cancelRetry = this.later(this.pauseMs)
    this.pauseMs = Math.min(this.pauseMs * 2, LAST_RETRY_MS)
    return "broken"
  }
}
