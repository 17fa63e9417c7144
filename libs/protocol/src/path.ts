const SLASH = 0x2f
const DOT = 0x2e

/** Units that no path may hold: controls, surrogates, the private-use area, and the last of the plane. */
const isForbidden = (unit: number): boolean =>
  unit < 0x20 || (unit >= 0x7f && unit <= 0x9f) || (unit >= 0xd800 && unit <= 0xf8ff) || unit >= 0xfff0

/** Why a path is not a legal znode path, or undefined if it is one. The server's rules, which clients share. */
export const validatePath = (path: string): string | undefined => {
  const length = path.length
  if (length === 0) return "the path is empty"
  if (path.charCodeAt(0) !== SLASH) return "the path does not start with /"
  if (length === 1) return undefined
  if (path.charCodeAt(length - 1) === SLASH) return "the path ends with /"
  let elementStart = 1
  for (let i = 1; i <= length; i++) {
    const unit = i === length ? SLASH : path.charCodeAt(i)
    if (unit !== SLASH) {
      if (isForbidden(unit)) return `the path holds the character ${unit.toString(16)} at ${i}`
      continue
    }
    const elementLength = i - elementStart
    if (elementLength === 0) return `the path has an empty element at ${i}`
    if (elementLength <= 2 && path.charCodeAt(elementStart) === DOT) {
      if (elementLength === 1 || path.charCodeAt(elementStart + 1) === DOT) return "the path is relative"
    }
    elementStart = i + 1
  }
  return undefined
}

/** The parent's path: "/" for a child of the root. The path is a legal one other than the root. */
export const parentOf = (path: string): string => {
  const slash = path.lastIndexOf("/")
  return slash <= 0 ? "/" : path.slice(0, slash)
}
/** The last element of a path. */
export const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1)
