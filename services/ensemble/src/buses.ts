import { type Bus, type BusError, loopbackLayer, natsLayer } from "@zkmesh/bus"
import { type Config, ConfigError } from "@zkmesh/config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** The bus that the configuration asks for. A peer that is `alone` needs no broker to be found by anybody. */
export const busLayer = (config: Config, alone: boolean): Layer.Layer<Bus, BusError | ConfigError> => {
  const { knobs } = config
  const kind = knobs.bus ?? (alone ? "loopback" : "nats")
  if (kind === "loopback") {
    if (alone) return loopbackLayer
    const reason = "loopback joins what is in one process; the rest of this ensemble is elsewhere: bus=nats"
    return Layer.unwrap(Effect.fail(new ConfigError({ key: "bus", reason })))
  }
  return natsLayer({
    servers: knobs["nats.servers"],
    prefix: knobs["ensemble.name"],
    ...(knobs["nats.user"] === undefined ? {} : { user: knobs["nats.user"], password: knobs["nats.password"] }),
    ...(knobs["nats.token"] === undefined ? {} : { token: knobs["nats.token"] })
  })
}
