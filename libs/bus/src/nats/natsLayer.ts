/** The bus between processes: NATS for what leaves the process, the loopback for what does not. */
import { Effect, Layer } from "effect"
import { Bus, type BusError } from "../bus.ts"
import { makeReport } from "../delivery.ts"
import { makeRemoteBus } from "../remote/remoteLayer.ts"
import { makeNatsBroker, type NatsConnectOptions } from "./natsBroker.ts"

export interface NatsOptions extends NatsConnectOptions {
  /** Keeps ensembles that share a broker apart: a part of each subject. */
  readonly ensemble: string
  /** How often neighbours ask after each other: bounds how late a killed process is noticed. Default 50. */
  readonly heartbeatMs?: number | undefined
  /** How often in a row the broker must say "nobody is there" before a neighbour counts as dead. Default 1. */
  readonly deadAfterProbes?: number | undefined
  /** Bytes sent on one link and not yet taken at the other end; more breaks it (overrun). Default 64 MiB. */
  readonly maxInFlightBytes?: number | undefined
  /** Larger publishes are cut. Default 256 KiB, or what the broker takes if that is less. */
  readonly maxPacketBytes?: number | undefined
}

const DEFAULTS = {
  heartbeatMs: 50,
  deadAfterProbes: 1,
  maxInFlightBytes: 64 * 1024 * 1024,
  maxPacketBytes: 256 * 1024
}

/** `Bus` over NATS. Waits for the broker at start; a refused password or an impossible address is a BusError. */
export const natsLayer = (options: NatsOptions): Layer.Layer<Bus, BusError> =>
  Layer.effect(
    Bus,
    Effect.gen(function* () {
      const report = yield* makeReport
      const { broker, settle } = yield* makeNatsBroker(options, report)
      return yield* makeRemoteBus(broker, report, settle, {
        ensemble: options.ensemble,
        heartbeatMs: options.heartbeatMs ?? DEFAULTS.heartbeatMs,
        deadAfterProbes: options.deadAfterProbes ?? DEFAULTS.deadAfterProbes,
        maxInFlightBytes: options.maxInFlightBytes ?? DEFAULTS.maxInFlightBytes,
        maxPacketBytes: options.maxPacketBytes ?? DEFAULTS.maxPacketBytes
      })
    })
  )
