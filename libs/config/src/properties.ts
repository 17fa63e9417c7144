/**
 * Java's properties syntax, in which zoo.cfg is written.
 *
 * A natural line that ends in an odd number of backslashes goes on in the next one; `#` and `!` begin a comment; the key
 * ends at the first unescaped `=`, `:` or blank; `\t \n \r \f \uXXXX` are escapes and any other backslash is dropped.
 */

export interface Property {
  readonly key: string
  readonly value: string
  /** 1-based, of the first natural line. */
  readonly line: number
}

/** A `\u` that four hexadecimal digits do not follow: the only text that is not a properties file. */
export class MalformedEscape extends Error {
  override readonly name = "MalformedEscape"
  readonly line: number

  constructor(line: number) {
    super("a \\u needs four hexadecimal digits after it")
    this.line = line
  }
}

const BLANK = /[ \t\f]/
const ESCAPES: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f" }

/** Every property in the order of the file; a key that is given twice appears twice. Throws MalformedEscape. */
export const parseProperties = (text: string): ReadonlyArray<Property> => {
  const properties: Array<Property> = []
  for (const { line, logical } of logicalLines(text)) {
    const end = keyEnd(logical)
    properties.push({
      key: unescaped(logical.slice(0, end), line),
      value: unescaped(logical.slice(valueStart(logical, end)), line),
      line
    })
  }
  return properties
}

const logicalLines = function* (text: string): Generator<{ readonly line: number; readonly logical: string }> {
  const natural = text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/)
  for (let at = 0; at < natural.length; at++) {
    const line = at + 1
    let logical = trimStart(natural[at]!)
    if (logical === "" || logical.startsWith("#") || logical.startsWith("!")) continue
    while (continues(logical)) {
      const next = natural[++at]
      logical = logical.slice(0, -1) + trimStart(next ?? "")
      if (next === undefined) break
    }
    yield { line, logical }
  }
}

const trimStart = (text: string): string => text.replace(/^[ \t\f]+/, "")

const continues = (text: string): boolean => {
  let backslashes = 0
  while (text[text.length - 1 - backslashes] === "\\") backslashes++
  return backslashes % 2 === 1
}

const keyEnd = (logical: string): number => {
  for (let at = 0; at < logical.length; at++) {
    const char = logical[at]!
    if (char === "\\") at++
    else if (char === "=" || char === ":" || BLANK.test(char)) return at
  }
  return logical.length
}

const valueStart = (logical: string, keyEnds: number): number => {
  let at = keyEnds
  let separated = false
  for (; at < logical.length; at++) {
    const char = logical[at]!
    if (BLANK.test(char)) continue
    if (separated || (char !== "=" && char !== ":")) break
    separated = true
  }
  return at
}

const unescaped = (text: string, line: number): string =>
  text.replace(/\\(u[\s\S]{0,4}|[\s\S]|$)/g, (_, sequence: string) => {
    if (!sequence.startsWith("u")) return ESCAPES[sequence] ?? sequence
    if (!/^u[0-9a-fA-F]{4}$/.test(sequence)) throw new MalformedEscape(line)
    return String.fromCharCode(Number.parseInt(sequence.slice(1), 16))
  })
