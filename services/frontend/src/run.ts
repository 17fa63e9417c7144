/** Starts frontends, and what goes with one. */
import { type Supervisor, spawn } from "@zkmesh/actor"
import { Bus, type BusError } from "@zkmesh/bus"
import { CurrentHealth } from "@zkmesh/health"
import { CurrentMetrics } from "@zkmesh/metrics"
import { CurrentTelemetry, logFields } from "@zkmesh/telemetry"
import { Cause, Effect, Exit, FiberSet, type Scope } from "effect"
import { Frontend, type Log, type Message } from "./Frontend.ts"
import { frontendsOf } from "./operator/Frontends.ts"
import { type FrontendError, type FrontendOptions, settingsOf } from "./options.ts"
import { readCertificates, renewing } from "./tls/renewal.ts"
import { RequestTracing } from "./tracing/RequestTracing.ts"

/** Starts a frontend; it lives until the scope closes. Returns the port that it listens at. */
export const runFrontend = (
  options: FrontendOptions
): Effect.Effect<{ readonly port: number }, BusError | FrontendError, Scope.Scope | Bus | Supervisor> =>
  Effect.map(
    Effect.flatMap(makeFrontend(options), (frontend) => frontend.listen()),
    (port) => ({ port })
  )

/** A frontend whose door is not open yet: who wants to reach it without a network hands its door a connection. */
export const makeFrontend = (
  options: FrontendOptions
): Effect.Effect<Frontend, BusError | FrontendError, Scope.Scope | Bus | Supervisor> =>
  Effect.gen(function* () {
    const bus = yield* Bus
    const given = settingsOf(options)
    const certificates = yield* readCertificates(given.tls)
    const settings = { ...given, tls: certificates?.tls }
    const run = yield* FiberSet.makeRuntime<never, void, never>()
    const log: Log = (message, about = {}, isNews) => {
      const line = isNews === true ? Effect.logInfo(message) : Effect.logWarning(message)
      run(Effect.annotateLogs(line, logFields({ service: "frontend", ...about })))
    }
    const telemetry = yield* CurrentTelemetry
    const server = frontendsOf(yield* CurrentMetrics)
    const health = yield* CurrentHealth
    const tracing = telemetry && new RequestTracing(telemetry, settings.name, log)
    let shell: Frontend | undefined
    yield* spawn<Message>(`frontend.${settings.name}`, (context) => {
      shell = new Frontend(settings, context, bus, log, server, tracing)
      return shell.handle
    })
    const frontend = shell!
    const leave = server.add(frontend)
    const forget = health.probe(`frontend.${settings.name}`, () => frontend.health())
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        leave()
        forget()
      })
    )
    yield* Effect.addFinalizer((exit) => {
      // A frontend that has failed answers nobody any more: there is nothing to wait for.
      const isAsked = Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)
      return isAsked ? Effect.andThen(frontend.drain(), frontend.close()) : frontend.close()
    })
    if (certificates !== undefined) {
      yield* Effect.forkScoped(renewing(certificates, (material) => frontend.door.renew(material)))
    }
    return frontend
  })
