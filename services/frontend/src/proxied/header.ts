/**
 * The header of HAProxy's PROXY protocol, versions 1 and 2 (proxy-protocol.txt of 2020/03/05): whoever passes a connection
 * on says in its first bytes whose it is. Nothing is guessed: what is no such header is malformed.
 */
import { isIPv4, isIPv6 } from "node:net"
import { crc32c } from "./crc32c.ts"

/** Whose connection it is. Ports are 0…65535. */
export interface Origin {
  readonly address: string
  readonly port: number
}

/** What the first bytes are: a whole header, the beginning of one, or none. */
export type Parsed =
  /** `size`: how many bytes it takes. `origin` is absent where the proxy speaks for itself (LOCAL, UNKNOWN, UNSPEC). */
  | { readonly _tag: "Header"; readonly size: number; readonly origin: Origin | undefined }
  | { readonly _tag: "More" }
  | { readonly _tag: "Malformed"; readonly reason: string }

const MORE: Parsed = { _tag: "More" }
const malformed = (reason: string): Parsed => ({ _tag: "Malformed", reason })

const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1")
const LINE = Buffer.from("PROXY ", "latin1")
/** With the end of its line. */
const LONGEST_LINE = 107
const FIXED = 16

/** Looks at the first bytes of a connection. */
export const parseHeader = (bytes: Buffer): Parsed => {
  if (bytes.length === 0) return MORE
  if (begins(bytes, SIGNATURE)) return bytes.length < FIXED ? MORE : binary(bytes)
  if (begins(bytes, LINE)) return line(bytes)
  return malformed("it begins with no PROXY header")
}

/** Whether `bytes` begin as `start` does, as far as they go. */
const begins = (bytes: Buffer, start: Buffer): boolean => {
  const length = Math.min(bytes.length, start.length)
  return bytes.subarray(0, length).equals(start.subarray(0, length))
}

// Version 1: PROXY TCP4 192.0.2.1 198.51.100.7 40000 2181\r\n

const line = (bytes: Buffer): Parsed => {
  const end = bytes.subarray(0, LONGEST_LINE).indexOf("\r\n")
  if (end < 0) return bytes.length < LONGEST_LINE ? MORE : malformed(`no end within ${LONGEST_LINE} bytes`)
  const [, protocol, ...rest] = bytes.toString("latin1", 0, end).split(" ")
  const size = end + 2
  // What follows is to be ignored.
  if (protocol === "UNKNOWN") return { _tag: "Header", size, origin: undefined }
  const isAddress = protocol === "TCP4" ? isIPv4 : protocol === "TCP6" ? isIPv6 : undefined
  if (isAddress === undefined) return malformed("neither TCP4 nor TCP6 nor UNKNOWN")
  const [address, to, port, toPort, ...surplus] = rest
  if (address === undefined || to === undefined || !isAddress(address) || !isAddress(to)) {
    return malformed(`no two ${protocol} addresses`)
  }
  if (!isPort(port) || !isPort(toPort) || surplus.length > 0) return malformed("no two ports at its end")
  return { _tag: "Header", size, origin: { address, port: Number(port) } }
}

const isPort = (text: string | undefined): text is string =>
  text !== undefined && /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535

// Version 2: signature, version and command, family and protocol, length, addresses, then what else there is to say.

const LOCAL = 0x20
const PROXY = 0x21
/** Family and protocol → how many bytes the addresses take. */
const ADDRESSES: ReadonlyMap<number, number> = new Map([
  [0x00, 0],
  [0x11, 12],
  [0x21, 36],
  [0x31, 216]
])

const binary = (bytes: Buffer): Parsed => {
  const [command, family] = [bytes[12]!, bytes[13]!]
  if (command !== LOCAL && command !== PROXY) return malformed(`version and command are 0x${command.toString(16)}`)
  const size = FIXED + bytes.readUInt16BE(14)
  // Said before its rest is waited for.
  const addresses = ADDRESSES.get(family)
  if (command === PROXY && addresses === undefined) {
    return malformed(`family and protocol are 0x${family.toString(16)}: no stream`)
  }
  if (command === PROXY && size < FIXED + addresses!) return malformed("too short for its addresses")
  if (bytes.length < size) return MORE
  const header = bytes.subarray(0, size)
  // Addresses of a connection of the proxy's own mean nothing, whatever they are.
  const wrong = command === PROXY ? extensions(header, FIXED + addresses!) : undefined
  if (wrong !== undefined) return malformed(wrong)
  return { _tag: "Header", size, origin: command === PROXY ? originIn(header, family) : undefined }
}

const originIn = (header: Buffer, family: number): Origin | undefined => {
  if (family === 0x11) {
    return { address: header.subarray(FIXED, FIXED + 4).join("."), port: header.readUInt16BE(FIXED + 8) }
  }
  if (family !== 0x21) return undefined
  const groups = Array.from({ length: 8 }, (_, i) => header.readUInt16BE(FIXED + 2 * i).toString(16))
  return { address: canonical(groups.join(":")), port: header.readUInt16BE(FIXED + 32) }
}

/** An IPv6 address as everybody writes it. */
const canonical = (address: string): string => new URL(`http://[${address}]`).hostname.slice(1, -1)

const CHECKSUM = 0x03

/** What is wrong with the extensions (type, length, value) from `at` to the header's end; a checksum has to be right. */
const extensions = (header: Buffer, at: number): string | undefined => {
  let next = at
  while (next < header.length) {
    if (next + 3 > header.length) return "an extension is cut off"
    const [type, value] = [header[next]!, next + 3]
    next = value + header.readUInt16BE(next + 1)
    if (next > header.length) return "an extension is longer than what is left"
    if (type !== CHECKSUM) continue
    if (next - value !== 4) return "its checksum has not four bytes"
    const blank = Buffer.from(header)
    blank.fill(0, value, next)
    if (crc32c(blank) !== header.readUInt32BE(value)) return "its checksum is wrong"
  }
  return undefined
}
