/** The end of a run's story as a message diagram: a column for each who speaks, a line for each message. */
import type { Told } from "../observer.ts"

export interface Diagram {
  readonly columns: ReadonlyArray<string>
  readonly lines: ReadonlyArray<Told>
}

/** Who it is: a peer's service is told apart, a process's life is not. */
const columnOf = (name: string): string => name.replace(/#\d+$/, "").replace(/^frontend\./, "")

const ROUTINE = /^(Commit leader|Ack zxid|Stats|Touch|link opened|Requests|Replies)/

/** The last `count` messages that are no routine, and the columns that they need. */
export const diagramOf = (story: ReadonlyArray<Told>, count: number): Diagram => {
  const told = story
    .map((one) => ({ ...one, from: columnOf(one.from), to: columnOf(one.to) }))
    .filter(({ text, to }) => to === "log" || !ROUTINE.test(text))
  const lines = told.slice(-count)
  const seen = new Set<string>()
  for (const { from, to } of lines) for (const name of [from, to]) seen.add(name)
  seen.delete("everybody")
  seen.delete("log")
  return { columns: [...seen].sort(), lines }
}

/** For a terminal: time, an arrow, and what is said. */
export const terminalOf = ({ columns, lines }: Diagram): string => {
  const width = 4
  const heads = columns.map((name, index) => `  ${String(index + 1).padStart(2)} ${name}`)
  const rows = lines.map(({ at, from, to, text }) => {
    const a = columns.indexOf(from)
    const b = to === "everybody" ? -2 : columns.indexOf(to)
    const cells = columns.map((_, index) => {
      if (a === b || b === -1) return index === a ? " *  " : " |  "
      if (b === -2) return index === a ? " *>>" : " |  "
      const [low, high] = a < b ? [a, b] : [b, a]
      if (index === a) return a < b ? " o──" : "─o  "
      if (index === b) return a < b ? "─>  " : " <──"
      return index > low && index < high ? "─┼──" : " |  "
    })
    return `${at.toFixed(2).padStart(10)} ${cells.join("").padEnd(columns.length * width)} ${text.slice(0, 110)}`
  })
  return [...heads, "", ...rows].join("\n")
}

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

/** As a picture. */
export const svgOf = ({ columns, lines }: Diagram, title: string): string => {
  const column = 110
  const row = 18
  const left = 90
  const top = 90
  const width = left + columns.length * column + 420
  const height = top + lines.length * row + 40
  const x = (name: string): number => left + columns.indexOf(name) * column + column / 2
  const parts: Array<string> = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="monospace" font-size="11">`,
    '<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">',
    '<path d="M0 0 8 4 0 8z" fill="#2563eb"/></marker></defs>',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="12" y="24" font-size="14" font-weight="bold">${escaped(title)}</text>`
  ]
  for (const name of columns) {
    parts.push(`<text x="${x(name)}" y="${top - 20}" text-anchor="middle" font-weight="bold">${escaped(name)}</text>`)
    parts.push(`<line x1="${x(name)}" y1="${top - 12}" x2="${x(name)}" y2="${height - 20}" stroke="#d4d4d8"/>`)
  }
  lines.forEach(({ at, from, to, text }, index) => {
    const y = top + index * row + 8
    parts.push(`<text x="8" y="${y + 4}" fill="#71717a">${at.toFixed(2)}</text>`)
    const label = left + columns.length * column + 8
    parts.push(`<text x="${label}" y="${y + 4}">${escaped(text.slice(0, 120))}</text>`)
    if (!columns.includes(from)) return
    parts.push(`<circle cx="${x(from)}" cy="${y}" r="3" fill="#2563eb"/>`)
    const ends = to === "everybody" ? columns.filter((name) => name !== from && name.startsWith("broadcast.")) : [to]
    for (const end of ends) {
      if (end === from || !columns.includes(end)) continue
      const dash = to === "everybody" ? ' stroke-dasharray="3 3"' : ""
      parts.push(
        `<line x1="${x(from)}" y1="${y}" x2="${x(end)}" y2="${y}" stroke="#2563eb"${dash} marker-end="url(#a)"/>`
      )
    }
  })
  parts.push("</svg>")
  return parts.join("\n")
}
