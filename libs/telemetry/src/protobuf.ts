/**
 * Spans in OTLP's protobuf (opentelemetry/proto/trace/v1/trace.proto), straight from records.
 *
 * OpenTelemetry's serializer wants an object of its SDK for each span and goes over everything twice, to learn the sizes.
 * Here a nested message is written behind room for its size, and the room is filled in afterwards: sizes have as many bytes
 * as were kept, which protobuf allows.
 */
import type { SpanAttributes, SpanRecord, TraceContext } from "@zkmesh/messages"

const VARINT = 0
const FIXED64 = 1
const BYTES = 2

const tag = (field: number, type: number): number => (field << 3) | type

/** What a hexadecimal digit is worth, by its character's code. */
const DIGITS = Uint8Array.from({ length: 128 }, (_, code) =>
  Math.max(0, "0123456789abcdef".indexOf(String.fromCharCode(code)))
)

/** What a writer keeps of its memory from one message to the next. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024

class Writer {
  private bytes = Buffer.allocUnsafe(64 * 1024)
  private at = 0

  /** A copy of what was written; the next message begins in the same memory. */
  take(): Uint8Array {
    const taken = Uint8Array.prototype.slice.call(this.bytes, 0, this.at)
    this.at = 0
    if (this.bytes.length > MAX_KEPT_BYTES) this.bytes = Buffer.allocUnsafe(64 * 1024)
    return taken
  }

  private room(size: number): void {
    if (this.at + size <= this.bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.at + size))
    this.bytes.copy(larger, 0, 0, this.at)
    this.bytes = larger
  }

  /** Begins a nested message; `end` gets what this returns. */
  begin(field: number): number {
    this.room(6)
    this.bytes[this.at++] = tag(field, BYTES)
    this.at += 4
    return this.at
  }

  end(start: number): void {
    const size = this.at - start
    const { bytes } = this
    bytes[start - 4] = (size & 0x7f) | 0x80
    bytes[start - 3] = ((size >>> 7) & 0x7f) | 0x80
    bytes[start - 2] = ((size >>> 14) & 0x7f) | 0x80
    bytes[start - 1] = (size >>> 21) & 0x7f
  }

  string(field: number, text: string): void {
    if (text.length < 0x80 && this.ascii(field, text)) return
    const most = text.length * 3
    this.room(most + 6)
    if (most < 0x80) {
      this.bytes[this.at] = tag(field, BYTES)
      const size = this.bytes.write(text, this.at + 2, "utf8")
      this.bytes[this.at + 1] = size
      this.at += 2 + size
      return
    }
    const start = this.begin(field)
    this.at += this.bytes.write(text, this.at, "utf8")
    this.end(start)
  }

  /** Most strings are short and plain: a call out of JavaScript for each would cost several times its bytes. */
  private ascii(field: number, text: string): boolean {
    const { length } = text
    this.room(2 + length)
    const { bytes } = this
    const start = this.at + 2
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code >= 0x80) return false
      bytes[start + i] = code
    }
    bytes[this.at] = tag(field, BYTES)
    bytes[this.at + 1] = length
    this.at = start + length
    return true
  }

  hex(field: number, text: string): void {
    const { length } = text
    this.room(2 + length / 2)
    const { bytes } = this
    let at = this.at
    bytes[at++] = tag(field, BYTES)
    bytes[at++] = length / 2
    for (let i = 0; i < length; i += 2) {
      bytes[at++] = (DIGITS[text.charCodeAt(i)]! << 4) | DIGITS[text.charCodeAt(i + 1)]!
    }
    this.at = at
  }

  /** A whole number from 0 to 2^53. */
  varint(field: number, value: number): void {
    this.room(10)
    this.bytes[this.at++] = tag(field, VARINT)
    let rest = value
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.bytes[this.at++] = (rest % 0x80) | 0x80
    this.bytes[this.at++] = rest
  }

  /** Milliseconds with fractions, as nanoseconds. */
  time(field: number, ms: number): void {
    this.room(9)
    this.bytes[this.at++] = tag(field, FIXED64)
    // More than 53 bits: the upper part of the milliseconds, then the lower, each times a million.
    const whole = Math.floor(ms)
    const upper = Math.floor(whole / 2 ** 20) * 1e6
    const lower = (whole % 2 ** 20) * 1e6 + Math.round((ms - whole) * 1e6) + (upper % 2 ** 12) * 2 ** 20
    this.at = this.bytes.writeUInt32LE(lower % 2 ** 32, this.at)
    this.at = this.bytes.writeUInt32LE(Math.floor(upper / 2 ** 12) + Math.floor(lower / 2 ** 32), this.at)
  }

  double(field: number, value: number): void {
    this.room(9)
    this.bytes[this.at++] = tag(field, FIXED64)
    this.bytes.writeDoubleLE(value, this.at)
    this.at += 8
  }
}

const writeAttributes = (writer: Writer, field: number, attributes: SpanAttributes): void => {
  for (const key in attributes) {
    const value = attributes[key]!
    const pair = writer.begin(field)
    writer.string(1, key)
    const any = writer.begin(2)
    if (typeof value === "string") writer.string(1, value)
    else if (typeof value === "boolean") writer.varint(2, value ? 1 : 0)
    else if (Number.isSafeInteger(value) && value >= 0) writer.varint(3, value)
    else writer.double(4, value)
    writer.end(any)
    writer.end(pair)
  }
}

const writeLink = (writer: Writer, link: TraceContext): void => {
  const start = writer.begin(13)
  writer.hex(1, link.traceId)
  writer.hex(2, link.spanId)
  writer.end(start)
}

const writeSpan = (writer: Writer, span: SpanRecord): void => {
  const start = writer.begin(2)
  writer.hex(1, span.traceId)
  writer.hex(2, span.spanId)
  if (span.parentId !== "") writer.hex(4, span.parentId)
  writer.string(5, span.name)
  // On the wire 0 is "unspecified".
  writer.varint(6, span.kind + 1)
  writer.time(7, span.start)
  writer.time(8, span.end)
  writeAttributes(writer, 9, span.attributes)
  if (span.links !== undefined) for (const link of span.links) writeLink(writer, link)
  if (span.error !== undefined) {
    const status = writer.begin(15)
    writer.string(2, span.error)
    writer.varint(3, 2)
    writer.end(status)
  }
  writer.end(start)
}

const writer = new Writer()

/** An ExportTraceServiceRequest: the spans by their services, each a resource with the attributes that `resourceOf` tells. */
export const serializeSpans = (
  spans: ReadonlyArray<SpanRecord>,
  resourceOf: (span: SpanRecord) => SpanAttributes
): Uint8Array => {
  const byService = new Map<string, Array<SpanRecord>>()
  for (const span of spans) {
    const known = byService.get(span.instance)
    if (known === undefined) byService.set(span.instance, [span])
    else known.push(span)
  }
  for (const own of byService.values()) {
    const resourceSpans = writer.begin(1)
    const resource = writer.begin(1)
    writeAttributes(writer, 1, resourceOf(own[0]!))
    writer.end(resource)
    const scopeSpans = writer.begin(2)
    const scope = writer.begin(1)
    writer.string(1, "zkmesh")
    writer.end(scope)
    for (const span of own) writeSpan(writer, span)
    writer.end(scopeSpans)
    writer.end(resourceSpans)
  }
  return writer.take()
}
