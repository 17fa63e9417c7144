import { ensureTools, tools } from "./packages.ts"

/** Maven is for those alone who ask to be compared with a ZooKeeper that Debian does not have. */
const needsMaven = process.env["ZKMESH_ZOOKEEPER_NEWER"] === "yes"

/** Before the end-to-end tests: everything that they start must be there. */
export function setup(): void {
  const names = Object.keys(tools) as ReadonlyArray<keyof typeof tools>
  const needed = names.filter((name) => name !== "maven" || needsMaven)
  ensureTools(needed, (line) => console.log(line))
}
