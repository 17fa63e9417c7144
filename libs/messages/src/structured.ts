/**
 * How whatever has no form of its own is written: each value with its kind before it. The same message is the same bytes
 * everywhere and always, which V8's own serialisation does not promise: there a number's bytes follow from how the engine
 * happens to keep it.
 */
import type { ByteReader, ByteWriter } from "@zkmesh/bus"

const Kind = {
  undefined: 0,
  null: 1,
  false: 2,
  true: 3,
  /** i32 */
  integer: 4,
  /** f64 */
  number: 5,
  string: 6,
  bytes: 7,
  array: 8,
  object: 9
} as const

/** Writes `undefined`, null, booleans, numbers, strings, bytes, and lists and plain objects of them; throws at others. */
export const writeStructured = (value: unknown, writer: ByteWriter): void => {
  switch (typeof value) {
    case "undefined":
      writer.u8(Kind.undefined)
      return
    case "boolean":
      writer.u8(value ? Kind.true : Kind.false)
      return
    case "number":
      writeNumber(value, writer)
      return
    case "string":
      writer.u8(Kind.string)
      writer.string(value)
      return
    case "object":
      writeObject(value, writer)
      return
    default:
      throw new TypeError(`a ${typeof value} cannot be part of a message`)
  }
}

const writeNumber = (value: number, writer: ByteWriter): void => {
  if (Object.is(value | 0, value)) {
    writer.u8(Kind.integer)
    writer.i32(value)
    return
  }
  writer.u8(Kind.number)
  writer.f64(value)
}

const writeObject = (value: object | null, writer: ByteWriter): void => {
  if (value === null) writer.u8(Kind.null)
  else if (Array.isArray(value)) {
    writer.u8(Kind.array)
    writer.u32(value.length)
    for (const item of value) writeStructured(item, writer)
  } else if (value instanceof Uint8Array) {
    writer.u8(Kind.bytes)
    writer.bytes(value)
  } else if (value instanceof Map || value instanceof Set || ArrayBuffer.isView(value)) {
    throw new TypeError(`a ${value.constructor.name} cannot be part of a message`)
  } else {
    const keys = Object.keys(value)
    const fields = value as Readonly<Record<string, unknown>>
    writer.u8(Kind.object)
    writer.u32(keys.length)
    for (const key of keys) {
      writer.string(key)
      writeStructured(fields[key], writer)
    }
  }
}

/** What `writeStructured` wrote. Bytes are copies: what is written so is small, rare and often kept. */
export const readStructured = (reader: ByteReader): unknown => {
  const kind = reader.u8()
  switch (kind) {
    case Kind.undefined:
      return undefined
    case Kind.null:
      return null
    case Kind.false:
      return false
    case Kind.true:
      return true
    case Kind.integer:
      return reader.i32()
    case Kind.number:
      return reader.f64()
    case Kind.string:
      return reader.string()
    case Kind.bytes:
      return reader.bytes().slice()
    case Kind.array:
      return readArray(reader)
    case Kind.object:
      return readObject(reader)
    default:
      throw new RangeError(`no value is of kind ${kind}`)
  }
}

const readArray = (reader: ByteReader): Array<unknown> => {
  const items: Array<unknown> = []
  for (let left = reader.u32(); left > 0; left--) items.push(readStructured(reader))
  return items
}

const readObject = (reader: ByteReader): Record<string, unknown> => {
  const fields: Record<string, unknown> = {}
  for (let left = reader.u32(); left > 0; left--) {
    const key = reader.string()
    if (key === "__proto__") throw new RangeError("a message has no prototype of its own")
    fields[key] = readStructured(reader)
  }
  return fields
}
