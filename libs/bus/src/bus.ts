/**
 * The bus: how an actor reaches its neighbours, wherever they live.
 *
 * In this process a message passes by reference; elsewhere it goes through NATS. Neither end can tell.
 * A **link** is what ZAB wants from TCP: a FIFO channel that delivers everything or breaks, and then tells both ends.
 */
import type { Effect, Scope } from "effect"
import { Context, Data } from "effect"
import type { ByteWriter } from "./bytes.ts"

/** `<service>.<sid>` or `frontend.<name>`: also the tail of a NATS subject, so no blanks, dots or wildcards in a name. */
export type Address = string

/** Writes a message to bytes and back. Only used when it leaves the process. */
export interface Codec<M> {
  readonly encode: (message: M) => Uint8Array
  readonly decode: (bytes: Uint8Array) => M
  /** Does what `encode` does without the copy, if the codec can: the bus's links prefer it. */
  readonly encodeInto?: (message: M, writer: ByteWriter) => void
}

/** What two neighbours have agreed to say: `Up` from the end that dials to the one that listens, `Down` back. */
export interface Protocol<Up, Down> {
  readonly name: string
  readonly up: Codec<Up>
  readonly down: Codec<Down>
}

/** A message for whoever has subscribed; at most once, in order per publisher, no link. */
export interface Topic<M> {
  readonly name: string
  readonly codec: Codec<M>
}

/** Why a link broke. */
export type BreakReason =
  /** The other end's process has gone (NATS: no responders): noticed in about a tenth of a second. */
  | "dead"
  /** Nothing was heard for the link's limit. */
  | "silent"
  /** A sequence number was missing, or the other end is a new incarnation. */
  | "gap"
  /** Nobody listens at that address (yet). */
  | "absent"
  /** The broker was lost. */
  | "disconnected"
  /** More is in flight than the link may hold. */
  | "overrun"
  /** One of the ends broke it on purpose; `detail` says why. */
  | "closed"

export interface Link<Out> {
  /** Unique among all links of the ensemble, ever. */
  readonly id: string
  readonly local: Address
  readonly remote: Address
  readonly isOpen: boolean
  /** Bytes (between processes) or messages (within one) sent and not yet taken by the other end's process. */
  readonly inFlight: number
  /** Queues; everything sent in one turn leaves together. False if the link is broken: the message is gone. */
  send(message: Out): boolean
  /** Ends it, for both: each listener hears Broken exactly once. */
  break(detail: string): void
}

export type LinkEvent<In, Out> =
  | { readonly _tag: "Opened"; readonly link: Link<Out> }
  | { readonly _tag: "Received"; readonly link: Link<Out>; readonly messages: ReadonlyArray<In> }
  | { readonly _tag: "Broken"; readonly link: Link<Out>; readonly reason: BreakReason; readonly detail: string }

/** Called by the bus, synchronously, one event at a time: an actor hands the event to its mailbox and returns. */
export type LinkListener<In, Out> = (event: LinkEvent<In, Out>) => void

export class BusError extends Data.TaggedError("BusError")<{ readonly message: string; readonly cause?: unknown }> {}

export class Bus extends Context.Service<
  Bus,
  {
    /** Takes links at `address`. A second listener for the same address and protocol in this process is a BusError. */
    readonly listen: <Up, Down>(
      address: Address,
      protocol: Protocol<Up, Down>,
      listener: LinkListener<Up, Down>
    ) => Effect.Effect<void, BusError, Scope.Scope>
    /**
     * Starts to open a link and returns at once; `Opened` or `Broken` follows, never within the call.
     * `limitMs`: how long silence may last before the link breaks (a dead process is noticed far sooner).
     */
    readonly dial: <Up, Down>(
      from: Address,
      to: Address,
      protocol: Protocol<Up, Down>,
      listener: LinkListener<Down, Up>,
      limitMs: number
    ) => Link<Up>
    readonly subscribe: <M>(
      topic: Topic<M>,
      listener: (message: M) => void
    ) => Effect.Effect<void, BusError, Scope.Scope>
    /** Reaches every subscriber, those in this process too. False if it is certain not to leave (no broker). */
    readonly publish: <M>(topic: Topic<M>, message: M) => boolean
  }
>()("@zkmesh/bus/Bus") {}
