import { assert, it } from "@effect/vitest"
import { formatEndpoint, parseConnectString } from "@zkmesh/client"

it("reads servers and chroot", () => {
  assert.deepStrictEqual(parseConnectString("a:1,b,[::1]:3,[::1]/x/y"), {
    servers: [
      { host: "a", port: 1 },
      { host: "b", port: 2181 },
      { host: "::1", port: 3 },
      { host: "::1", port: 2181 }
    ],
    chroot: "/x/y"
  })
  assert.deepStrictEqual(parseConnectString("a/"), { servers: [{ host: "a", port: 2181 }], chroot: "" })
  assert.strictEqual(formatEndpoint({ host: "::1", port: 3 }), "[::1]:3")
})

it("refuses nonsense", () => {
  for (const text of ["", ",", "a:", "a:0", "a:65536", "a:b", "a,", "::1", "a/b/", "a/b//c", "[::1"]) {
    assert.throws(() => parseConnectString(text), TypeError)
  }
})
