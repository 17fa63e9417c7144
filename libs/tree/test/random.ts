/** Numbers below 2^31 from a seed: the same test every time. */
export const random = (seed: number): (() => number) => {
  let state = Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 1
  }
}
