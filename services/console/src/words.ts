/** A line that is no command: its message is shown, then the usage if the command is known. */
export class UsageError extends Error {
  override readonly name = "UsageError"
}

/** Splits a line at blanks. A word that begins with a quote goes on to the next quote of its kind, blanks and all. */
export const splitWords = (line: string): Array<string> => {
  const words: Array<string> = []
  const pattern = /\s*(?:"([^"]*)"|'([^']*)'|([^\s"']\S*)|(["']))/y
  while (pattern.lastIndex < line.trimEnd().length) {
    const match = pattern.exec(line)
    if (match === null) break
    const [, double, single, plain, open] = match
    if (open !== undefined) throw new UsageError(`a quote is not closed: ${open}`)
    words.push(double ?? single ?? plain ?? "")
  }
  return words
}

export interface OptionNames {
  /** Options without a value. Single letters can be joined: -sw. */
  readonly flags?: ReadonlyArray<string>
  /** Options that take the next word. */
  readonly values?: ReadonlyArray<string>
}

/** A command's words after its name, sorted out. */
export class Parsed {
  readonly args: Array<string> = []
  private readonly flags = new Set<string>()
  private readonly values = new Map<string, string>()

  /** Options may stand anywhere; `--` ends them; a negative number is none. */
  constructor(words: ReadonlyArray<string>, names: OptionNames) {
    let onlyArgs = false
    for (let i = 0; i < words.length; i++) {
      const word = words[i]!
      if (onlyArgs || !/^-./.test(word) || /^-\d/.test(word)) {
        this.args.push(word)
      } else if (word === "--") {
        onlyArgs = true
      } else if (names.values?.includes(word.slice(1))) {
        const value = words[++i]
        if (value === undefined) throw new UsageError(`Missing argument for option: ${word.slice(1)}`)
        this.values.set(word.slice(1), value)
      } else if (names.flags?.includes(word.slice(1))) {
        this.flags.add(word.slice(1))
      } else {
        const letters = [...word.slice(1)]
        if (!letters.every((letter) => names.flags?.includes(letter)))
          throw new UsageError(`Unrecognized option: ${word}`)
        for (const letter of letters) this.flags.add(letter)
      }
    }
  }

  has(flag: string): boolean {
    return this.flags.has(flag)
  }
  value(option: string): string | undefined {
    return this.values.get(option)
  }
  /** An option's value as an integer; `complaint` is said of one that is none. */
  integer(option: string, complaint?: string): number | undefined {
    const text = this.values.get(option)
    if (text === undefined) return undefined
    if (!/^-?\d+$/.test(text)) throw new UsageError(complaint ?? `-${option} wants a number, not ${text}`)
    return Number(text)
  }
}
