/** IP addresses as the `ip` scheme compares them: text in, 4 or 16 bytes out. */

const parseV4 = (text: string): ReadonlyArray<number> | undefined => {
  const parts = text.split(".")
  if (parts.length !== 4) return undefined
  const bytes: Array<number> = []
  for (const part of parts) {
    if (!/^\d{1,3}$/.test(part) || Number(part) > 255) return undefined
    bytes.push(Number(part))
  }
  return bytes
}

/** The 16-bit groups of one side of a `::`; an IPv4 tail counts as two. */
const parseGroups = (text: string): Array<number> | undefined => {
  if (text === "") return []
  const groups: Array<number> = []
  const parts = text.split(":")
  for (const [i, part] of parts.entries()) {
    if (part.includes(".")) {
      const v4 = i === parts.length - 1 ? parseV4(part) : undefined
      if (v4 === undefined) return undefined
      groups.push((v4[0]! << 8) | v4[1]!, (v4[2]! << 8) | v4[3]!)
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined
      groups.push(Number.parseInt(part, 16))
    }
  }
  return groups
}

const parseV6 = (text: string): ReadonlyArray<number> | undefined => {
  const halves = text.split("::")
  if (halves.length > 2) return undefined
  const head = parseGroups(halves[0]!)
  const tail = halves.length === 2 ? parseGroups(halves[1]!) : []
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail]
  return groups.flatMap((group) => [group >>> 8, group & 0xff])
}

const isMappedV4 = (bytes: ReadonlyArray<number>): boolean =>
  bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff

/** The address's bytes; an IPv4 address in IPv6's clothing is an IPv4 address. */
export const parseIp = (text: string): ReadonlyArray<number> | undefined => {
  if (!text.includes(":")) return parseV4(text)
  const zone = text.indexOf("%")
  const bytes = parseV6(zone < 0 ? text : text.slice(0, zone))
  return bytes !== undefined && isMappedV4(bytes) ? bytes.slice(12) : bytes
}

/** `address` or `address/bits`. */
export const parseIpRange = (
  text: string
): { readonly bytes: ReadonlyArray<number>; readonly bits: number } | undefined => {
  const slash = text.indexOf("/")
  const bytes = parseIp(slash < 0 ? text : text.slice(0, slash))
  if (bytes === undefined) return undefined
  const most = bytes.length * 8
  if (slash < 0) return { bytes, bits: most }
  const bits = text.slice(slash + 1)
  return /^\d{1,3}$/.test(bits) && Number(bits) <= most ? { bytes, bits: Number(bits) } : undefined
}

/** True if the address lies in the range; the families must agree. */
export const ipMatches = (address: string, range: string): boolean => {
  const bytes = parseIp(address)
  const wanted = parseIpRange(range)
  if (bytes === undefined || wanted === undefined || bytes.length !== wanted.bytes.length) return false
  for (let i = 0, left = wanted.bits; left > 0; i++, left -= 8) {
    const mask = left >= 8 ? 0xff : 0xff & (0xff << (8 - left))
    if ((bytes[i]! & mask) !== (wanted.bytes[i]! & mask)) return false
  }
  return true
}
