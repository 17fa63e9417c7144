/** A reconfiguration as it is in the log: a transaction of type `reconfig` whose body is that of a setData. */
import { EntryReader, type TxnBatch } from "@zkmesh/txn"
import { type Configuration, parseConfiguration } from "./configuration.ts"

/** The opcode, and so the type of the transaction. */
export const RECONFIG = 16

/** The first transaction's type: a reconfiguration that is broadcast has its batch to itself. */
const TYPE_AT = 36

const isReconfig = (bytes: Uint8Array): boolean =>
  bytes[TYPE_AT + 3] === RECONFIG && bytes[TYPE_AT] === 0 && bytes[TYPE_AT + 1] === 0 && bytes[TYPE_AT + 2] === 0

/** The configuration that a batch of the fan-out brings, if it is one. */
export const proposedConfiguration = (batch: TxnBatch): Configuration | undefined =>
  batch.count === 1 && isReconfig(batch.bytes) ? configurationsIn(batch)[0] : undefined

/** Every configuration in a batch, oldest first: batches that come from a log are cut at random. */
export const configurationsIn = (batch: TxnBatch): ReadonlyArray<Configuration> => {
  const found: Array<Configuration> = []
  const reader = new EntryReader(batch.bytes)
  while (reader.next()) {
    if (reader.type === RECONFIG) found.push(configurationAt(reader))
  }
  return found
}

/** The configuration that the reader's transaction brings, which is a reconfiguration. */
export const configurationAt = (reader: EntryReader): Configuration => {
  const pathLength = reader.view.getInt32(reader.bodyStart)
  const dataAt = reader.bodyStart + 4 + pathLength
  const start = dataAt + 4
  const bytes = reader.bytes.subarray(start, start + reader.view.getInt32(dataAt))
  return parseConfiguration(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"))
}
