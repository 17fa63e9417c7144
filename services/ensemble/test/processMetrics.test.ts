import { assert, describe, it } from "@effect/vitest"
import { readConfig } from "@zkmesh/config"
import { Registry } from "@zkmesh/metrics"
import { Effect, Logger } from "effect"
import { observeProcess, pauseSettings } from "../src/processMetrics.ts"

/** Nothing else of this process runs meanwhile. */
const standStill = (ms: number) =>
  Effect.sync(() => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms))

describe("a process that stands still", () => {
  it.live("is measured, and told or warned of as the thresholds say", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make<unknown, void>(({ logLevel, message }) => void lines.push(`${logLevel} ${message}`))
      const metrics = new Registry()
      const text = ["monitor=true", "sleep.time.ms=5", "info-threshold.ms=100", "warn-threshold.ms=400"]
      const config = yield* readConfig({
        file: { name: "zoo.cfg", text: text.map((line) => `jvm.pause.${line}`).join("\n") }
      })
      const measured = () => Number(metrics.figures("process")["max_jvm_pause_time_ms"])
      const until = (ms: number) => Effect.repeat(Effect.sleep(1), { until: () => measured() >= ms })
      const stalls = Effect.gen(function* () {
        yield* observeProcess(metrics, pauseSettings(config))
        yield* standStill(220)
        yield* until(200)
        yield* standStill(620)
        yield* until(600)
        yield* Effect.sleep(1)
      })
      yield* stalls.pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
      assert.isTrue(
        lines.some((line) => /^Info the process stood still for about \d+ ms/.test(line)),
        lines.join()
      )
      assert.isTrue(
        lines.some((line) => /^Warn the process .* \d+ to warn of\)$/.test(line)),
        lines.join()
      )
    })
  )
})
