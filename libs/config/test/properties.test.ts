import { assert, describe, it } from "@effect/vitest"
import { MalformedEscape, parseProperties } from "../src/properties.ts"

const pairs = (text: string) => parseProperties(text).map(({ key, value }) => [key, value])

describe("properties", () => {
  it("separates key and value by =, : or blanks, whichever comes first", () => {
    assert.deepStrictEqual(pairs("a=1\nb : 2\nc 3\nd\te=f\n  g = h = i\nj"), [
      ["a", "1"],
      ["b", "2"],
      ["c", "3"],
      ["d", "e=f"],
      ["g", "h = i"],
      ["j", ""]
    ])
  })

  it("skips comments and empty lines, and counts natural lines", () => {
    const properties = parseProperties("\uFEFF# one\r\n! two\r\n\r\n  \t\r\na=1\r\nb=2")
    assert.deepStrictEqual(
      properties.map(({ key, line }) => [key, line]),
      [
        ["a", 5],
        ["b", 6]
      ]
    )
  })

  it("joins a line that ends in an odd number of backslashes with the next", () => {
    assert.deepStrictEqual(pairs("list=a,\\\n   b,\\\n   # c\nback=\\\\\nnext=1\nlast=x\\"), [
      ["list", "a,b,# c"],
      ["back", "\\"],
      ["next", "1"],
      ["last", "x"]
    ])
  })

  it("knows Java's escapes and drops any other backslash", () => {
    assert.deepStrictEqual(pairs("a\\ b\\=c=\\t\\u00e9\\q"), [["a b=c", "\té" + "q"]])
    assert.throws(() => parseProperties("a=1\nb=\\u12g4"), MalformedEscape)
  })
})
