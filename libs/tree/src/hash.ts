/**
 * The two hashes of the tree: one finds a path, one tells whether two peers' trees differ. Both are 32-bit multiply-xor
 * mixes, written for V8's integer arithmetic; neither is a defence against forged content.
 */

/** The basis that FNV-1a starts from. */
export const HASH_BASIS = 0x811c9dc5 | 0

/** Spreads a value's entropy over all of its bits (murmur3's finaliser). */
export const avalanche = (value: number): number => {
  let hash = value ^ (value >>> 16)
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

/** Takes one 32-bit word into a hash. */
export const mix = (hash: number, word: number): number => {
  const k = Math.imul(word, 0xcc9e2d51)
  const mixed = hash ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593)
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
}

/** A path's hash, byte by byte: paths are short and come unaligned. */
export const hashPath = (bytes: Uint8Array, start: number, end: number, seed: number): number => {
  let hash = HASH_BASIS ^ seed
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  return avalanche(hash)
}

/** A value's hash, four bytes at a time; its length counts, so that trailing zeros do. */
export const hashData = (bytes: Uint8Array, start: number, end: number, seed: number): number => {
  let hash = mix(seed, end - start)
  let i = start
  for (; i + 4 <= end; i += 4) {
    hash = mix(hash, bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24))
  }
  let tail = 0
  for (let shift = 0; i < end; i++, shift += 8) tail |= bytes[i]! << shift
  return avalanche(mix(hash, tail))
}
