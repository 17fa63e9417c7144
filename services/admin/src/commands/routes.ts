/** The commands over HTTP: `GET /commands/<name>?key=value`, answered 200 even if there is an error, as by ZooKeeper. */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { json } from "../http.ts"
import { isSecure } from "../https.ts"
import type { Answer, Command, Params, Subject } from "./command.ts"
import { CONNECTION_COMMANDS } from "./connections.ts"
import { SERVER_COMMANDS } from "./server.ts"

const NOT_SERVING = "This ZooKeeper instance is not currently serving requests"

/** Every command that answers with JSON to a GET, by each of its names. */
const BY_NAME = new Map<string, Command>(
  [...SERVER_COMMANDS, ...CONNECTION_COMMANDS].flatMap((command) => command.names.map((name) => [name, command]))
)

/** The names that the list of commands shows: also of those that are served in another way. */
export const primaryNames = (more: ReadonlyArray<string>): ReadonlyArray<string> =>
  [...new Set([...[...BY_NAME.values()].map(({ names }) => names[0]), ...more])].sort()

/** Runs the command of this name. */
export const runCommand = async (name: string, subject: Subject, params: Params): Promise<Answer> => {
  const command = BY_NAME.get(name)
  if (command === undefined) return { command: name, error: `Unknown command: ${name}` }
  const [primary] = command.names
  const answered = command.asks === undefined ? undefined : await subject.server.ask(command.asks)
  if (command.asks !== undefined && answered === undefined) return { command: primary, error: NOT_SERVING }
  const { error = null, ...rest } = command.answer(subject, answered, params)
  return { ...rest, command: primary, error }
}

const paramsOf = (request: HttpServerRequest): Params =>
  Object.fromEntries(new URL(request.url, "http://here").searchParams)

/** `more`: commands with routes of their own, which are listed all the same. */
export const commandRoutes = (
  subject: Subject,
  base: `/${string}`,
  more: ReadonlyArray<string>
): Layer.Layer<never, never, HttpRouter.HttpRouter> => {
  const links = primaryNames(more).map((name) => `<a href="${base}/${name}">${name}</a><br/>`)
  const page = HttpServerResponse.text(`${links.join("\n")}\n`, { contentType: "text/html" })
  const answer = (request: HttpServerRequest) => {
    const name = new URL(request.url, "http://here").pathname.slice(base.length + 1)
    if (!isSecure(request)) subject.server.metrics.counter("insecure_admin_count").add()
    return Effect.map(
      Effect.promise(() => runCommand(name, subject, paramsOf(request))),
      (body) => json(body)
    )
  }
  return Layer.mergeAll(
    HttpRouter.add("GET", base, Effect.succeed(page)),
    HttpRouter.add("GET", `${base}/:name`, answer)
  )
}
