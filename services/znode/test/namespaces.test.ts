import { assert, describe, it } from "@effect/vitest"
import { Registry } from "@zkmesh/metrics"
import { Namespaces } from "../src/Namespaces.ts"

/** What is counted for each key: how often, how many bytes. */
const counts = (metrics: Registry, name: "read_per_namespace" | "write_per_namespace") =>
  Object.fromEntries([...metrics.summaries(name).entries()].map(([key, { count, sum }]) => [key, [count, sum]]))

const write = (namespaces: Namespaces, path: string, bytes: number) => {
  // Paths stand somewhere in what came from a socket.
  const chunk = Buffer.from(`xx${path}/yy`)
  const end = 2 + Buffer.byteLength(path)
  namespaces.wrote(chunk, 2, end, bytes)
  chunk.fill(0)
}

describe("bytes by top-level znode", () => {
  it("tells namespaces apart by their whole names, and counts the path with the value", () => {
    const metrics = new Registry()
    const namespaces = new Namespaces(metrics)
    write(namespaces, "/a", 10)
    write(namespaces, "/ab", 20)
    write(namespaces, "/a/b/c", 30)
    write(namespaces, "/ä/x", 1)
    write(namespaces, "/ä", 0)
    write(namespaces, "/", 1000)
    namespaces.readPath("/a/b", 68)
    assert.deepStrictEqual(counts(metrics, "write_per_namespace"), { a: [2, 48], ab: [1, 23], ä: [2, 9] })
    assert.deepStrictEqual(counts(metrics, "read_per_namespace"), { a: [1, 72] })
  })

  it("counts refusals, under names that objects have of their own too", () => {
    const metrics = new Registry()
    const namespaces = new Namespaces(metrics)
    namespaces.exceededQuota("/constructor/a")
    namespaces.exceededQuota("/__proto__")
    namespaces.exceededQuota("/constructor")
    const figures = metrics.figures("znode")
    assert.strictEqual(figures["constructor_quota_exceeded_error_per_namespace"], 2)
    assert.strictEqual(figures["__proto___quota_exceeded_error_per_namespace"], 1)
  })

  it("forgets those that have been used least lately when there are too many", () => {
    const metrics = new Registry()
    const namespaces = new Namespaces(metrics, 3)
    for (const path of ["/one", "/two", "/three", "/four"]) write(namespaces, path, 0)
    assert.hasAllKeys(counts(metrics, "write_per_namespace"), ["two", "three", "four"])
    write(namespaces, "/two", 0)
    write(namespaces, "/five", 0)
    assert.deepStrictEqual(counts(metrics, "write_per_namespace"), { two: [2, 8], four: [1, 5], five: [1, 5] })
    for (let i = 0; i < 5000; i++) {
      write(namespaces, `/sequential-${i}`, 0)
      write(namespaces, "/two", 0)
    }
    const left = counts(metrics, "write_per_namespace")
    assert.strictEqual(Object.keys(left).length, 3)
    assert.deepStrictEqual(left["two"], [5002, 4 * 5002])
  })

  it("goes on with what a service before this one has counted", () => {
    const metrics = new Registry()
    write(new Namespaces(metrics, 2), "/before", 1)
    const namespaces = new Namespaces(metrics, 2)
    write(namespaces, "/before", 1)
    assert.deepStrictEqual(counts(metrics, "write_per_namespace"), { before: [2, 16] })
    write(namespaces, "/second", 1)
    write(namespaces, "/third", 1)
    assert.hasAllKeys(counts(metrics, "write_per_namespace"), ["second", "third"])
  })
})
