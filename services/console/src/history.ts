import { appendFile, readFile, writeFile } from "node:fs/promises"

const SIZE = 1000

/** The lines of earlier dialogues, in a file. A file that cannot be used is told of once, and then left alone. */
export class LineHistory {
  readonly size = SIZE
  private file: string | undefined
  private readonly note: (text: string) => void

  /** Without a file nothing is kept. */
  constructor(file: string | undefined, note: (text: string) => void) {
    this.file = file
    this.note = note
  }

  private giveUp(error: unknown): void {
    this.note(`The history is not kept: ${String(error)}`)
    this.file = undefined
  }

  /** The newest first, as readline wants them. */
  async load(): Promise<Array<string>> {
    if (this.file === undefined) return []
    try {
      const lines = (await readFile(this.file, "utf8")).split("\n").filter((line) => line !== "")
      // Now and then the file is cut back to what is ever shown.
      if (lines.length > 2 * SIZE) await writeFile(this.file, `${lines.slice(-SIZE).join("\n")}\n`, { mode: 0o600 })
      return lines.slice(-SIZE).reverse()
    } catch (error) {
      const isNew = error instanceof Error && "code" in error && error.code === "ENOENT"
      if (!isNew) this.giveUp(error)
      return []
    }
  }

  /** Keeps a line, unless it holds a secret. */
  async add(line: string): Promise<void> {
    if (this.file === undefined || line.trim() === "" || /^\s*addauth\b/.test(line)) return
    try {
      await appendFile(this.file, `${line}\n`, { mode: 0o600 })
    } catch (error) {
      this.giveUp(error)
    }
  }
}
