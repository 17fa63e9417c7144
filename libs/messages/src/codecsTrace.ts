/**
 * Contexts of sampled requests, at the end of a message that carries requests: absent, and then no byte, if none of them
 * is sampled. So the cost of tracing what is not traced is the test whether the message has an end.
 */
import type { ByteReader, ByteWriter } from "@zkmesh/bus"
import type { TraceContext, TracedAnswer, TracedTxn } from "./trace.ts"

const TRACE_ID_BYTES = 16
const SPAN_ID_BYTES = 8
/** W3C's trace flags: sampled. */
const SAMPLED = 1

export const writeContext = (context: TraceContext, writer: ByteWriter): void => {
  writer.raw(Buffer.from(context.traceId, "hex"))
  writer.raw(Buffer.from(context.spanId, "hex"))
  writer.u8(SAMPLED)
}

const hexOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")

export const readContext = (reader: ByteReader): TraceContext => {
  const traceId = hexOf(reader.raw(TRACE_ID_BYTES))
  const spanId = hexOf(reader.raw(SPAN_ID_BYTES))
  reader.u8()
  return { traceId, spanId }
}

/** Of a batch of requests: those that have a context, each with its place. */
export const writeRequestTraces = (
  requests: ReadonlyArray<{ readonly trace: TraceContext | undefined }>,
  writer: ByteWriter
): void => {
  for (let index = 0; index < requests.length; index++) {
    const { trace } = requests[index]!
    if (trace === undefined) continue
    writer.u32(index)
    writeContext(trace, writer)
  }
}

/** Gives each request of the batch the context that follows for it. */
export const readRequestTraces = (
  requests: ReadonlyArray<{ trace: TraceContext | undefined }>,
  reader: ByteReader
): void => {
  while (reader.remaining > 0) {
    const request = requests[reader.u32()]
    const trace = readContext(reader)
    if (request !== undefined) request.trace = trace
  }
}

export const writeAnswerTraces = (traces: ReadonlyArray<TracedAnswer> | undefined, writer: ByteWriter): void => {
  if (traces === undefined) return
  for (const { index, trace } of traces) {
    writer.u32(index)
    writeContext(trace, writer)
  }
}

/** undefined if nothing follows. */
export const readAnswerTraces = (reader: ByteReader): ReadonlyArray<TracedAnswer> | undefined => {
  if (reader.remaining === 0) return undefined
  const traces: Array<TracedAnswer> = []
  while (reader.remaining > 0) traces.push({ index: reader.u32(), trace: readContext(reader) })
  return traces
}

export const writeTxnTraces = (traces: ReadonlyArray<TracedTxn> | undefined, writer: ByteWriter): void => {
  if (traces === undefined) return
  for (const { zxid, trace } of traces) {
    writer.f64(zxid)
    writeContext(trace, writer)
  }
}

/** undefined if nothing follows. */
export const readTxnTraces = (reader: ByteReader): ReadonlyArray<TracedTxn> | undefined => {
  if (reader.remaining === 0) return undefined
  const traces: Array<TracedTxn> = []
  while (reader.remaining > 0) traces.push({ zxid: reader.f64(), trace: readContext(reader) })
  return traces
}

/** A message's `traces` member, or nothing: a message without traces looks as if there were no such thing. */
export const withTraces = <T>(traces: T | undefined): { readonly traces?: T } =>
  traces === undefined ? {} : { traces }
