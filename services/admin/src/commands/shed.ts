/**
 * `shed_connections`: lets go of a part of the clients, so that they spread anew over the doors that they know. After servers
 * have been restarted one by one, the first of them has most of the clients. Their sessions go on where they come back.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Schema from "effect/Schema"
import { json } from "../http.ts"
import type { Subject } from "./command.ts"
import { authorized, Refused } from "./guard.ts"

const Asked = Schema.Struct({
  percentage: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 }))
})

export const shedRoute = (subject: Subject, base: `/${string}`) => {
  const { server } = subject
  const shed = Effect.fnUntraced(function* (request: HttpServerRequest) {
    yield* authorized(subject, request)
    const { percentage } = yield* Effect.flatMap(request.json, Schema.decodeUnknownEffect(Asked)).pipe(
      Effect.mapError(() => new Refused({ status: 400, message: 'expected {"percentage": 0…100}' }))
    )
    const count = server.shed(percentage)
    yield* Effect.logInfo(`${count} clients were let go of, as an operator has asked for`)
    return json({ connections_shed: count, percentage_requested: percentage, command: "shed_connections", error: null })
  })
  const answer = (request: HttpServerRequest) =>
    Effect.catch(shed(request), ({ status, message }) =>
      Effect.succeed(json({ command: "shed_connections", error: message }, status))
    )
  return ["shed_connections", "shed"].map((name) => HttpRouter.add("POST", `${base}/${name}` as `/${string}`, answer))
}
