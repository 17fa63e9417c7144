/**
 * How messages are written when they leave the process.
 *
 * The first byte says how the rest is written: 0 as a structured value, which may have any shape and is right for what
 * is rare; anything else is the code of a form written by hand, for what comes with each batch. There bytes are views on
 * the memory that was received, never copies: whoever keeps a small piece for long copies it.
 */
import { ByteReader, ByteWriter, type Codec } from "@zkmesh/bus"
import type { Acl } from "@zkmesh/protocol"
import type { TxnBatch } from "@zkmesh/txn"
import { readStructured, writeStructured } from "./structured.ts"

/** One message written by hand. */
export interface Form<T> {
  /** 1…255, unique within its direction of its protocol. */
  readonly code: number
  readonly write: (message: T, writer: ByteWriter) => void
  readonly read: (reader: ByteReader) => T
}

/** The forms of those members of a union that are written by hand, by tag. */
export type Forms<M extends { readonly _tag: string }> = {
  readonly [Tag in M["_tag"]]?: Form<Extract<M, { readonly _tag: Tag }>>
}

const STRUCTURED = 0

/** Bytes that are no message: another version's, or torn. */
export class CorruptMessage extends Error {
  override readonly name = "CorruptMessage"
}

export const makeCodec = <M extends { readonly _tag: string }>(forms: Forms<M> = {}): Codec<M> => {
  // A form only ever meets the message of its own tag, and the reader of its own code.
  const all = Object.entries(forms) as unknown as ReadonlyArray<[string, Form<M>]>
  const byTag = new Map(all)
  const byCode: Array<Form<M> | undefined> = []
  for (const [, form] of all) byCode[form.code] = form
  const single = new ByteWriter(1024)
  const encodeInto = (message: M, writer: ByteWriter): void => {
    const form = byTag.get(message._tag)
    writer.u8(form?.code ?? STRUCTURED)
    if (form === undefined) writeStructured(message, writer)
    else form.write(message, writer)
  }
  const decode = (bytes: Uint8Array): M => {
    const reader = new ByteReader(bytes)
    const code = reader.u8()
    const form = byCode[code]
    if (form === undefined && code !== STRUCTURED) throw new CorruptMessage(`no message has the code ${code}`)
    const message = form === undefined ? (readStructured(reader) as M) : form.read(reader)
    if (reader.remaining > 0) throw new CorruptMessage(`${reader.remaining} bytes follow the message`)
    return message
  }
  return {
    encodeInto,
    encode: (message) => {
      single.reset()
      encodeInto(message, single)
      return single.copy()
    },
    decode: (bytes) => {
      try {
        return decode(bytes)
      } catch (error) {
        if (error instanceof CorruptMessage) throw error
        throw new CorruptMessage(error instanceof Error ? error.message : String(error), { cause: error })
      }
    }
  }
}

export const writeBatch = (batch: TxnBatch, writer: ByteWriter): void => {
  writer.f64(batch.first)
  writer.f64(batch.last)
  writer.u32(batch.count)
  writer.bytes(batch.bytes)
}

export const readBatch = (reader: ByteReader): TxnBatch => ({
  first: reader.f64(),
  last: reader.f64(),
  count: reader.u32(),
  bytes: reader.bytes()
})

export const writeBoolean = (value: boolean, writer: ByteWriter): void => writer.u8(value ? 1 : 0)
export const readBoolean = (reader: ByteReader): boolean => reader.u8() !== 0

export const writeAcls = (acls: ReadonlyArray<Acl>, writer: ByteWriter): void => {
  writer.u32(acls.length)
  for (const acl of acls) {
    writer.i32(acl.perms)
    writer.string(acl.id.scheme)
    writer.string(acl.id.id)
  }
}

export const readAcls = (reader: ByteReader): ReadonlyArray<Acl> => {
  const acls: Array<Acl> = []
  for (let left = reader.u32(); left > 0; left--) {
    acls.push({ perms: reader.i32(), id: { scheme: reader.string(), id: reader.string() } })
  }
  return acls
}
