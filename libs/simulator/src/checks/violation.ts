/** Something that the ensemble has promised, and not kept. */
export class Violation extends Error {
  override readonly name = "Violation"
  /** Which promise: the shrinker keeps to it. */
  readonly rule: string

  constructor(rule: string, detail: string) {
    super(`${rule}: ${detail}`)
    this.rule = rule
  }
}
