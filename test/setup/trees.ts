import { assert } from "vitest"
import { digestOf, dump } from "../recorder/checker.ts"

/** Every server shows the same subtree, down to each field of each Stat. */
export async function assertSame(ports: ReadonlyArray<number>, root = "/"): Promise<void> {
  const trees = await Promise.all(ports.map((port) => dump(port, root)))
  assert.strictEqual(new Set(trees.map(digestOf)).size, 1, "all peers hold the same tree")
}
