import { type Bus, type BusError, loopbackLayer, natsLayer } from "@zkmesh/bus"
import { type Config, ConfigError } from "@zkmesh/config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** The bus that the configuration asks for. `name` is what the broker's monitoring shows. A peer that is `alone` needs no broker. */
export const busLayer = (config: Config, name: string, alone: boolean): Layer.Layer<Bus, BusError | ConfigError> => {
  const { knobs } = config
  const kind = knobs.bus ?? (alone ? "loopback" : "nats")
  if (kind === "loopback") {
    if (alone) return loopbackLayer
    const reason = "loopback joins what is in one process; the rest of this ensemble is elsewhere: bus=nats"
    return Layer.unwrap(Effect.fail(new ConfigError({ key: "bus", reason })))
  }
  const tls = { caFile: knobs["nats.tls.ca"], certFile: knobs["nats.tls.cert"], keyFile: knobs["nats.tls.key"] }
  return natsLayer({
    servers: knobs["nats.servers"],
    ensemble: knobs["ensemble.name"],
    name,
    user: knobs["nats.user"],
    password: knobs["nats.password"],
    token: knobs["nats.token"],
    heartbeatMs: knobs["nats.heartbeatMs"],
    tls: Object.values(tls).some((path) => path !== undefined) ? onlyGiven(tls) : undefined
  })
}

const onlyGiven = (paths: Readonly<Record<string, string | undefined>>): Record<string, string> =>
  Object.fromEntries(Object.entries(paths).filter((entry): entry is [string, string] => entry[1] !== undefined))
