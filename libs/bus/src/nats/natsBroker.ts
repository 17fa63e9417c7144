/** NATS as the broker: one connection per process, which is lost and found again for ever. */
import {
  type ConnectionOptions,
  errors,
  type Msg,
  type NatsConnection,
  type Status,
  type TlsOptions
} from "@nats-io/transport-node"
import { CurrentHealth } from "@zkmesh/health"
import { CurrentMetrics, type Readings } from "@zkmesh/metrics"
import { Effect, Schedule, type Scope } from "effect"
import { BusError } from "../bus.ts"
import type { Report } from "../delivery.ts"
import type { Broker, BrokerMessage } from "../remote/broker.ts"
import { LEAST_PAYLOAD } from "../remote/remoteBus.ts"
import { connect } from "./natsTransport.ts"

export interface NatsConnectOptions {
  /** `host:port` or `nats://host:port`, one or several of a cluster. */
  readonly servers: string | ReadonlyArray<string>
  /** How the broker's own monitoring names this process. */
  readonly name?: string | undefined
  readonly user?: string | undefined
  readonly password?: string | undefined
  readonly token?: string | undefined
  readonly tls?: TlsOptions | undefined
}

const DIAL_TIMEOUT_MS = 3000
const RETRY_MS = 100
/** Two pings without an answer: a broker behind a dead cable is given up after two to three seconds. */
const PING_MS = 1000
const CLOSE_MS = 1000
const NO_RESPONDERS = 503

const connectOptions = (options: NatsConnectOptions): ConnectionOptions => ({
  servers: typeof options.servers === "string" ? options.servers : [...options.servers],
  ...(options.name === undefined ? {} : { name: options.name }),
  ...(options.user === undefined ? {} : { user: options.user }),
  ...(options.password === undefined ? {} : { pass: options.password }),
  ...(options.token === undefined ? {} : { token: options.token }),
  ...(options.tls === undefined ? {} : { tls: options.tls }),
  timeout: DIAL_TIMEOUT_MS,
  pingInterval: PING_MS,
  maxPingOut: 2,
  maxReconnectAttempts: -1,
  reconnectTimeWait: RETRY_MS,
  reconnectJitter: RETRY_MS,
  // What this process says to itself does not go by the broker.
  noEcho: true,
  noAsyncTraces: true,
  // A broker that refuses for a while (its configuration is being reloaded) is not given up either.
  ignoreAuthErrorAbort: true
})

/** Errors that no retry can mend: they are the operator's to see at once. */
const isFinal = (cause: unknown): boolean =>
  cause instanceof errors.AuthorizationError ||
  cause instanceof errors.UserAuthenticationExpiredError ||
  cause instanceof errors.InvalidArgumentError ||
  cause instanceof TypeError ||
  cause instanceof RangeError

const describe = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

class NatsBroker implements Broker {
  isUp = true
  maxPayload: number
  onDown: (() => void) | undefined
  private readonly connection: NatsConnection
  private readonly report: Report
  private closing = false
  private reconnects = 0

  constructor(connection: NatsConnection, report: Report) {
    this.connection = connection
    this.report = report
    this.maxPayload = connection.info?.max_payload ?? LEAST_PAYLOAD
  }

  publish(subject: string, payload: Uint8Array, reply?: string): boolean {
    if (!this.isUp || this.connection.isClosed()) return false
    this.connection.publish(subject, payload, reply === undefined ? undefined : { reply })
    return true
  }

  subscribe(subject: string, listener: (message: BrokerMessage) => void): () => void {
    if (this.connection.isClosed()) return () => {}
    const subscription = this.connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) listener(new Incoming(message))
        else this.report(`the broker ends the subscription to ${subject}`, error)
      }
    })
    return () => {
      if (!this.connection.isClosed()) subscription.unsubscribe()
    }
  }

  /** Follows the connection's fate; ends with it. */
  async watch(): Promise<void> {
    for await (const status of this.connection.status()) this.onStatus(status)
  }

  async close(): Promise<void> {
    this.closing = true
    // Last words leave, unless the broker is lost or hangs.
    const patience = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_MS).unref())
    if (this.isUp) await Promise.race([this.connection.drain(), patience])
    await this.connection.close()
  }

  /** Returns once the broker has handled what was said to it before, or is lost. */
  async settle(): Promise<void> {
    if (this.isUp && !this.connection.isClosed()) await this.connection.flush()
  }

  readings(): Readings {
    const { inBytes, outBytes, inMsgs, outMsgs } = this.connection.stats()
    return {
      nats_connected: this.isUp ? 1 : 0,
      nats_reconnects: this.reconnects,
      nats_bytes_received: inBytes,
      nats_bytes_sent: outBytes,
      nats_messages_received: inMsgs,
      nats_messages_sent: outMsgs
    }
  }

  private onStatus(status: Status): void {
    switch (status.type) {
      case "disconnect":
        this.lost("the broker is lost")
        return
      case "close":
        if (!this.closing) this.lost("the connection to the broker has closed for good")
        return
      case "reconnect":
        this.maxPayload = this.connection.info?.max_payload ?? this.maxPayload
        this.isUp = true
        this.reconnects++
        this.report(`the broker is back: ${status.server}`)
        return
      case "error":
        this.report("the broker says", status.error)
        return
      case "staleConnection":
        this.report("the broker does not answer pings")
        return
      case "ldm":
        this.report(`the broker ${status.server} is about to stop`)
        return
      case "slowConsumer":
        this.report("the broker counts this process as a slow consumer")
        return
      default:
        // Attempts to reconnect and news of the cluster come often and need nobody.
        return
    }
  }

  private lost(why: string): void {
    if (!this.isUp) return
    this.isUp = false
    if (!this.closing) this.report(why)
    this.onDown?.()
  }
}

/** A class, since a literal with a getter is built anew property by property. */
class Incoming implements BrokerMessage {
  readonly payload: Uint8Array
  readonly noResponders: boolean
  private readonly message: Msg

  constructor(message: Msg) {
    this.message = message
    this.payload = message.data
    this.noResponders = message.data.length === 0 && message.headers?.code === NO_RESPONDERS
  }

  get subject(): string {
    return this.message.subject
  }
}

const dialOnce = (options: NatsConnectOptions): Effect.Effect<NatsConnection, BusError> =>
  Effect.tryPromise({
    try: async (signal) => {
      const connection = await connect(connectOptions(options))
      if (signal.aborted) await connection.close()
      return connection
    },
    catch: (cause) => new BusError({ message: `cannot reach NATS at ${options.servers}: ${describe(cause)}`, cause })
  })

/**
 * Connects: tries until the broker is there, with a line in the log at the first failure and each tenth after it. A
 * refused password or an address that can be none is an error at once.
 */
const dial = (options: NatsConnectOptions): Effect.Effect<NatsConnection, BusError> =>
  Effect.suspend(() => {
    let failures = 0
    return dialOnce(options).pipe(
      Effect.tapError((error) =>
        failures++ % 10 === 0 && !isFinal(error.cause)
          ? Effect.logWarning(`${error.message}; still trying`)
          : Effect.void
      ),
      Effect.retry({
        schedule: Schedule.jittered(Schedule.spaced(2 * RETRY_MS)),
        while: (error) => !isFinal(error.cause)
      })
    )
  })

export const makeNatsBroker = (
  options: NatsConnectOptions,
  report: Report
): Effect.Effect<{ readonly broker: Broker; readonly settle: Effect.Effect<void> }, BusError, Scope.Scope> =>
  Effect.gen(function* () {
    const health = yield* CurrentHealth
    const servers = String(options.servers)
    health.set("nats", { condition: "starting", why: `the broker at ${servers} is not reached yet` })
    const broker = yield* Effect.acquireRelease(
      Effect.map(dial(options), (connection) => new NatsBroker(connection, report)),
      (broker) =>
        Effect.catch(
          Effect.tryPromise(() => broker.close()),
          (error) => Effect.logWarning("the connection to NATS did not close cleanly", error)
        ),
      { interruptible: true }
    )
    if (broker.maxPayload < LEAST_PAYLOAD) {
      return yield* Effect.fail(new BusError({ message: `NATS takes payloads of ${broker.maxPayload} bytes only` }))
    }
    const forget = health.probe("nats", () =>
      broker.isUp ? { condition: "serving" } : { condition: "failed", why: `the broker at ${servers} is lost` }
    )
    const unobserve = (yield* CurrentMetrics).observe("nats", () => broker.readings())
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        forget()
        unobserve()
      })
    )
    yield* Effect.forkScoped(
      Effect.catch(
        Effect.tryPromise(() => broker.watch()),
        (error) => Effect.logError("lost sight of the connection to NATS", error)
      )
    )
    // A broker that is lost meanwhile hears of all subscriptions again when it is back.
    const settle = Effect.catch(
      Effect.tryPromise(() => broker.settle()),
      (error) => Effect.logDebug("NATS was lost while it was asked to settle", error)
    )
    return { broker, settle }
  })
