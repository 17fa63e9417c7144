import type { Knobs } from "@zkmesh/config"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type { LogLevel } from "effect/LogLevel"
import * as References from "effect/References"

const LEVELS = { trace: "Trace", debug: "Debug", info: "Info", warn: "Warn", error: "Error" } as const

/** Log lines on stderr: pretty for a person at a terminal, one JSON object each for everything else. */
export const loggingLayer = (knobs: Knobs, level: LogLevel | undefined): Layer.Layer<never> => {
  const format = knobs["logger.format"]
  const pretty = format === "pretty" || (format === "auto" && process.stderr.isTTY === true)
  const logger = pretty ? Logger.consolePretty({ colors: process.stderr.isTTY === true }) : Logger.consoleJson
  return Layer.mergeAll(
    Logger.layer([logger]),
    Layer.succeedContext(
      Context.make(References.MinimumLogLevel, level ?? LEVELS[knobs["logger.level"]]).pipe(
        Context.add(Logger.LogToStderr, true)
      )
    )
  )
}
