/** Something that ZAB says can never be: memory or disk is not what it must be, so the peer has to stop. */
export class InvariantBroken extends Error {
  override readonly name = "InvariantBroken"
}

export const invariant: (holds: boolean, what: string) => asserts holds = (holds, what) => {
  if (!holds) throw new InvariantBroken(what)
}
