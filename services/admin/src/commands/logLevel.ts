/** `log_level`: what is logged, read by everybody, set by `?level=debug` for whoever may do everything. */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import { json } from "../http.ts"
import type { Subject } from "./command.ts"
import { authorized, Refused } from "./guard.ts"

export interface LogSwitch {
  readonly name: string
  /** False if there is no such level. */
  readonly set: (name: string) => boolean
}

export const logLevelRoute = (subject: Subject, base: `/${string}`, log: LogSwitch) => {
  const answer = Effect.fnUntraced(function* (request: HttpServerRequest) {
    const level = new URL(request.url, "http://here").searchParams.get("level")
    if (level !== null) {
      yield* authorized(subject, request)
      if (!log.set(level)) return yield* new Refused({ status: 400, message: `no such level: ${level}` })
      yield* Effect.logInfo(`the log's level is ${level} from now on`)
    }
    return json({ level: log.name, command: "log_level", error: null })
  })
  return HttpRouter.add("GET", `${base}/log_level`, (request) =>
    Effect.catch(answer(request), ({ status, message }) =>
      Effect.succeed(json({ command: "log_level", error: message }, status))
    )
  )
}
