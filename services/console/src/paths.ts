/** What ZooKeeper's own client says is wrong with a path, in its words; undefined if nothing is. */
export const pathComplaint = (path: string): string | undefined => {
  if (path === "") return "Path length must be > 0"
  if (!path.startsWith("/")) return "Path must start with / character"
  if (path === "/") return undefined
  if (path.endsWith("/")) return "Path must not end with / character"
  const reason = elementComplaint(path)
  return reason === undefined ? undefined : `Invalid path string "${path}" caused by ${reason}`
}

/** Controls, surrogates, the private-use area, and the last of the plane. */
const isForbidden = (unit: number): boolean =>
  unit < 0x20 || (unit >= 0x7f && unit <= 0x9f) || (unit >= 0xd800 && unit <= 0xf8ff) || unit >= 0xfff0

const elementComplaint = (path: string): string | undefined => {
  for (let at = 1; at < path.length; at++) {
    const before = path[at - 1]!
    const unit = path[at]!
    const endsElement = at + 1 === path.length || path[at + 1] === "/"
    if (unit === "\0") return `null character not allowed @${at}`
    if (unit === "/" && before === "/") return `empty node name specified @${at}`
    if (unit === ".") {
      const dots = before === "." ? path[at - 2] : before
      if (dots === "/" && endsElement) return `relative paths not allowed @${at}`
    } else if (isForbidden(unit.charCodeAt(0))) return `invalid character @${at}`
  }
  return undefined
}
