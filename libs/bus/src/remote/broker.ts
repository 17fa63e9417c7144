/** What links between processes need of a message broker: little enough that a test can be one. */

/** Subjects, not addresses: `zkmesh.<ensemble>.…`. */
export interface Broker {
  /** False from the moment on which the broker is lost until it is found again. */
  readonly isUp: boolean
  /** The largest payload that one publish may carry, in bytes. */
  readonly maxPayload: number
  /**
   * Publishes now or never: false if the broker is lost. If nobody subscribes to `subject` and `reply` is given, an
   * empty message marked `noResponders` comes back to `reply`. Never reaches this process's own subscriptions.
   */
  publish(subject: string, payload: Uint8Array, reply?: string): boolean
  /** Messages of one publisher arrive in the order of publishing, across subjects. Survives the loss of the broker. */
  subscribe(subject: string, listener: (message: BrokerMessage) => void): () => void
  /** Called at once when the broker is lost: whatever was under way may be gone. */
  onDown: (() => void) | undefined
}

export interface BrokerMessage {
  readonly subject: string
  readonly payload: Uint8Array
  /** The broker's own answer to a publish with a reply subject that nobody subscribes to. */
  readonly noResponders: boolean
}
