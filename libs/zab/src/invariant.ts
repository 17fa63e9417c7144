/** Something that ZAB says can never be: memory or disk is not what it must be, so the peer has to stop. */
export class InvariantBroken extends Error {
  override readonly name = "InvariantBroken"
}

/** `what` is a function where it would cost something to say it on a hot path. */
export const invariant: (holds: boolean, what: string | (() => string)) => asserts holds = (holds, what) => {
  if (!holds) throw new InvariantBroken(typeof what === "string" ? what : what())
}
