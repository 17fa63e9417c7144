import { describe } from "@effect/vitest"
import { afterAll, afterEach, beforeAll } from "vitest"
import { Bench, type Ensemble } from "./bench.ts"
import { connections } from "./connections.ts"
import { operations } from "./operations.ts"
import { watches } from "./watches.ts"

export type { Ensemble } from "./bench.ts"

/** The whole of the client's behaviour, against whatever `start` starts. */
export const clientSuite = (name: string, start: () => Promise<Ensemble>): void => {
  describe(name, { timeout: 60_000 }, () => {
    let bench: Bench
    beforeAll(async () => {
      bench = new Bench(await start())
      await bench.prepare()
    }, 120_000)
    afterEach(() => bench.clear())
    afterAll(() => bench.close())

    operations(() => bench)
    watches(() => bench)
    connections(() => bench)
  })
}
