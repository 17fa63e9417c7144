/** Writes the table of knobs into the README, between its marks: `npm run docs`. */
import { readFileSync, writeFileSync } from "node:fs"
import { resolve } from "node:path"
import { describeMarkdown } from "./describe.ts"

export const README = resolve(import.meta.dirname, "../../../README.md")

/** The README with today's table. */
export const withTable = (readme: string): string =>
  readme.replace(
    /(<!-- knobs.*?-->\n)[\s\S]*(<!-- \/knobs -->)/,
    (_, begin: string, end: string) => `${begin}\n${describeMarkdown()}\n\n${end}`
  )

if (import.meta.main) writeFileSync(README, withTable(readFileSync(README, "utf8")))
