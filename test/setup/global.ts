import { ensureTools, tools } from "./packages.ts"

/** Before the end-to-end tests: everything that they start must be there. */
export function setup(): void {
  ensureTools(Object.keys(tools) as ReadonlyArray<keyof typeof tools>, (line) => console.log(line))
}
