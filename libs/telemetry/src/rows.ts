/**
 * What a service remembers of its recent batches: a few numbers each, in a ring of plain memory. Kept whether or not
 * anything is sampled (a handful of stores per batch, nothing per request), so that the spans of a request can still be
 * made when it has turned out to be slow.
 */
export class Rows {
  private readonly columns: ReadonlyArray<Float64Array>
  private readonly capacity: number
  /** Rows ever pushed. */
  private count = 0

  constructor(columns: number, capacity = 4096) {
    this.capacity = capacity
    this.columns = Array.from({ length: columns }, () => new Float64Array(capacity))
  }

  push(a: number, b: number, c = 0, d = 0): void {
    const at = this.count++ % this.capacity
    const { columns } = this
    columns[0]![at] = a
    columns[1]![at] = b
    if (columns.length > 2) columns[2]![at] = c
    if (columns.length > 3) columns[3]![at] = d
  }

  /** How many rows are remembered. */
  get size(): number {
    return Math.min(this.count, this.capacity)
  }

  /** A number of the row that was pushed `age` rows ago; the newest has the age 1. */
  value(age: number, column: number): number {
    return this.columns[column]![(this.count - age) % this.capacity]!
  }

  /**
   * Of rows that begin with the first and the last of a range: the age of the newest whose range holds `key`, 0 if there
   * is none. Ranges are taken to ascend, so the search ends where they lie before the key.
   */
  covering(key: number): number {
    for (let age = 1; age <= this.size; age++) {
      if (this.value(age, 1) < key) return 0
      if (this.value(age, 0) <= key) return age
    }
    return 0
  }
}
