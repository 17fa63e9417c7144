/** `status`: whether it runs, and what each of its servers says that it is. */
import { connect } from "node:net"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { DaemonError, type Files, findRun } from "./record.ts"

const PATIENCE_MS = 5000

/** Asks servers at `endpoints` (host:port), or those of what was started in the background. Fails unless all serve. */
export const status = (files: Files, endpoints: ReadonlyArray<string>): Effect.Effect<void, DaemonError> =>
  Effect.gen(function* () {
    const asked = endpoints.length > 0 ? endpoints : yield* started(files)
    const silent: Array<string> = []
    for (const endpoint of asked) {
      const colon = endpoint.lastIndexOf(":")
      const [host, port] = [endpoint.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), endpoint.slice(colon + 1)]
      yield* Console.log(`Client port found: ${port}. Client address: ${host}. Client SSL: false.`)
      const answer = yield* Effect.promise(() => srvr(host, Number(port)))
      const mode = /^Mode: .*$/m.exec(answer)?.[0]
      if (mode === undefined) silent.push(answer === "" ? endpoint : `${endpoint}: ${answer.trim()}`)
      else yield* Console.log(mode)
    }
    if (silent.length === 0) return
    const message = `Error contacting service. It is probably not running. (${silent.join("; ")})`
    return yield* new DaemonError({ message })
  })

const started = (files: Files): Effect.Effect<ReadonlyArray<string>, DaemonError> =>
  Effect.gen(function* () {
    const found = yield* findRun(files)
    if (found === undefined) {
      const message = `Error contacting service. It is probably not running. (no ${files.pid}; --server host:port asks any)`
      return yield* new DaemonError({ message })
    }
    if (!found.isRunning) {
      const message = `Error contacting service. It is probably not running. (process ${found.run.pid} has ended)`
      return yield* new DaemonError({ message })
    }
    yield* Console.log(`zkmesh runs as process ${found.run.pid} since ${found.run.startedAt}`)
    return found.run.endpoints
  })

/** The answer to the four-letter word; nothing if nobody takes the connection. */
const srvr = (host: string, port: number): Promise<string> =>
  new Promise((resolve) => {
    let answer = ""
    const socket = connect({ host, port }, () => void socket.write("srvr"))
    socket.setTimeout(PATIENCE_MS, () => socket.destroy())
    socket.setEncoding("utf8")
    socket.on("data", (text: string) => {
      answer += text
    })
    // A refused connection ends with "close", which is where it is dealt with.
    socket.on("error", () => undefined)
    socket.on("close", () => resolve(answer))
  })
