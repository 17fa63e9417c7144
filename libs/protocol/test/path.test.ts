import { assert, describe, it } from "@effect/vitest"
import { nameOf, parentOf, validatePath } from "@zkmesh/protocol"

describe("validatePath", () => {
  it("accepts what ZooKeeper accepts", () => {
    for (const path of [
      "/",
      "/a",
      "/a/b",
      "/...",
      "/.a",
      "/a.",
      "/..a",
      "/a..b/c",
      "/ä€漢",
      "/a b",
      "/~",
      "/\u00a0",
      "/\ud7ff",
      "/\uf900",
      "/\uffef"
    ]) {
      assert.isUndefined(validatePath(path), path)
    }
  })

  it("wants a leading and no trailing slash, and no empty element", () => {
    for (const path of ["", "a", "a/b", "/a/", "//", "//a", "/a//b", "/a/b//"]) {
      assert.isString(validatePath(path), path)
    }
  })

  it("refuses relative elements", () => {
    for (const path of ["/.", "/..", "/a/.", "/a/..", "/./a", "/../a", "/a/./b", "/a/../b"]) {
      assert.strictEqual(validatePath(path), "the path is relative", path)
    }
  })

  it("refuses every forbidden unit, and only those", () => {
    for (let unit = 0; unit <= 0xffff; unit++) {
      if (unit === 0x2f || unit === 0x2e) continue
      const forbidden =
        unit <= 0x1f || (unit >= 0x7f && unit <= 0x9f) || (unit >= 0xd800 && unit <= 0xf8ff) || unit >= 0xfff0
      const verdict = validatePath(`/a${String.fromCharCode(unit)}b`)
      if ((verdict !== undefined) !== forbidden) assert.fail(`unit ${unit.toString(16)}: ${verdict}`)
    }
    assert.isString(validatePath("/\u{1f600}"), "outside of the BMP")
  })
})

it("parents and names", () => {
  assert.deepStrictEqual(["/a", "/a/b", "/a/b/c"].map(parentOf), ["/", "/a", "/a/b"])
  assert.deepStrictEqual(["/a", "/a/b", "/a/b/c"].map(nameOf), ["a", "b", "c"])
})
