import type { Knobs } from "@zkmesh/config"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"

const LEVELS = { trace: "Trace", debug: "Debug", info: "Info", warn: "Warn", error: "Error" } as const
type LevelName = keyof typeof LEVELS

/** The least severe level that is logged by this process; the admin server may change it at any time. */
export const logSwitch = {
  level: "Info" as LogLevel.LogLevel,
  get name(): string {
    return this.level.toLowerCase()
  },
  /** False if there is no level of this name. */
  set(name: string): boolean {
    if (!Object.hasOwn(LEVELS, name)) return false
    this.level = LEVELS[name as LevelName]
    return true
  }
}

/**
 * One flat JSON object per line: when, how severe, what, and beside that what the line is about (peer, service, session, zxid,
 * trace_id…), each under its name, so that a collector of logs needs no rule to find them.
 */
export const jsonLine = Logger.make<unknown, string>(({ cause, date, fiber, logLevel, message }) => {
  const parts = Array.isArray(message) ? message : [message]
  return JSON.stringify({
    timestamp: date.toISOString(),
    level: logLevel.toUpperCase(),
    message: parts.map(textOf).join(" "),
    ...fiber.getRef(References.CurrentLogAnnotations),
    ...(cause.reasons.length === 0 ? {} : { cause: Cause.pretty(cause) })
  })
})

const textOf = (part: unknown): string => {
  if (typeof part === "string") return part
  if (Cause.isCause(part)) return Cause.pretty(part)
  return part instanceof Error ? (part.stack ?? part.message) : (JSON.stringify(part) ?? String(part))
}

/**
 * Log lines on stderr: pretty for a person at a terminal, one JSON object each for everything else. All of them come as
 * far as this logger, which drops what is below the level of the moment.
 */
export const loggingLayer = (knobs: Knobs, level: LogLevel.LogLevel | undefined): Layer.Layer<never> => {
  const format = knobs["logger.format"]
  const pretty = format === "pretty" || (format === "auto" && process.stderr.isTTY === true)
  const logger = pretty
    ? Logger.consolePretty({ colors: process.stderr.isTTY === true })
    : Logger.withConsoleError(jsonLine)
  logSwitch.level = level ?? LEVELS[knobs["logger.level"]]
  const switched = Logger.make<unknown, void>((options) => {
    const isAudit = options.fiber.getRef(References.CurrentLogAnnotations)["logger"] === "audit"
    if (isAudit || LogLevel.isGreaterThanOrEqualTo(options.logLevel, logSwitch.level)) logger.log(options)
  })
  return Layer.mergeAll(
    Logger.layer([switched]),
    Layer.succeedContext(
      Context.make(References.MinimumLogLevel, "All" as LogLevel.LogLevel).pipe(Context.add(Logger.LogToStderr, true))
    )
  )
}
