/**
 * Identities between processes: each one once in a message, and one object per content at the receiver, so that
 * "compare by reference" holds there too.
 */
import { ByteReader, type ByteWriter } from "@zkmesh/bus"
import type { Id } from "@zkmesh/protocol"
import type { Identity } from "./common.ts"

/** Identities known at once; the oldest is forgotten first, and if it comes again it is another object. */
const MAX_KNOWN = 16_384

const known = new Map<string, Identity>()

const writeIdentity = (identity: Identity, writer: ByteWriter): void => {
  const sizeAt = writer.length
  writer.u32(0)
  for (const { scheme, id } of identity) {
    writer.string(scheme)
    writer.string(id)
  }
  writer.u32At(sizeAt, writer.length - sizeAt - 4)
}

const readIdentity = (reader: ByteReader): Identity => {
  const size = reader.u32()
  const start = reader.skip(size)
  const bytes = reader.memory.subarray(start, start + size)
  const key = Buffer.from(bytes.buffer, bytes.byteOffset, size).toString("latin1")
  const found = known.get(key)
  if (found !== undefined) return found
  const inner = new ByteReader(bytes)
  const identity: Array<Id> = []
  while (inner.remaining > 0) identity.push({ scheme: inner.string(), id: inner.string() })
  if (known.size >= MAX_KNOWN)
    for (const oldest of known.keys()) {
      known.delete(oldest)
      break
    }
  known.set(key, identity)
  return identity
}

/** Writes the different ones among `identities`; returns for each its place among them. */
export const writeIdentities = (identities: ReadonlyArray<Identity>, writer: ByteWriter): Uint32Array => {
  const places = new Uint32Array(identities.length)
  const different = new Map<Identity, number>()
  let last: Identity | undefined
  let lastPlace = 0
  for (let index = 0; index < identities.length; index++) {
    const identity = identities[index]!
    if (identity !== last) {
      last = identity
      lastPlace = different.get(identity) ?? different.size
      if (lastPlace === different.size) different.set(identity, lastPlace)
    }
    places[index] = lastPlace
  }
  writer.u32(different.size)
  for (const identity of different.keys()) writeIdentity(identity, writer)
  return places
}

export const readIdentities = (reader: ByteReader): ReadonlyArray<Identity> => {
  const identities: Array<Identity> = []
  for (let left = reader.u32(); left > 0; left--) identities.push(readIdentity(reader))
  return identities
}
