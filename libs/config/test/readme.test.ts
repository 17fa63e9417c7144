import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { README, withTable } from "../src/readme.ts"

it("the README's table is that of the schema; if not: npm run docs", () => {
  const readme = readFileSync(README, "utf8")
  assert.strictEqual(readme, withTable(readme))
})
