/** A real OTLP receiver: takes what exporters send over HTTP in protobuf, as OpenTelemetry's trace.proto defines it. */
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { gunzipSync } from "node:zlib"

export type Attribute = string | number | boolean | undefined

export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string
  readonly name: string
  readonly kind: number
  /** Nanoseconds since 1970. */
  readonly start: bigint
  readonly end: bigint
  readonly attributes: ReadonlyMap<string, Attribute>
  readonly links: ReadonlyArray<{ readonly traceId: string; readonly spanId: string }>
  /** 2: it failed. */
  readonly status: number
  readonly resource: ReadonlyMap<string, Attribute>
}

type Fields = ReadonlyArray<{ readonly field: number; readonly bytes: Buffer; readonly value: bigint }>
const EMPTY = Buffer.alloc(0)

/** The fields of one protobuf message: numbers in `value`, all else in `bytes`. */
const fieldsOf = (bytes: Buffer): Fields => {
  const fields: Array<Fields[number]> = []
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(at++)
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  while (at < bytes.length) {
    const tag = Number(varint())
    const field = tag >>> 3
    const type = tag & 7
    if (type === 0) fields.push({ field, bytes: EMPTY, value: varint() })
    else if (type === 1) {
      fields.push({ field, bytes: bytes.subarray(at, at + 8), value: bytes.readBigUInt64LE(at) })
      at += 8
    } else if (type === 2) {
      const size = Number(varint())
      fields.push({ field, bytes: bytes.subarray(at, at + size), value: 0n })
      at += size
    } else if (type === 5) {
      fields.push({ field, bytes: bytes.subarray(at, at + 4), value: BigInt(bytes.readUInt32LE(at)) })
      at += 4
    } else throw new Error(`wire type ${type} at ${at}`)
  }
  return fields
}

const all = (fields: Fields, field: number): ReadonlyArray<Buffer> =>
  fields.filter((one) => one.field === field).map((one) => one.bytes)
const bytesOf = (fields: Fields, field: number): Buffer => fields.find((one) => one.field === field)?.bytes ?? EMPTY
const numberOf = (fields: Fields, field: number): bigint => fields.find((one) => one.field === field)?.value ?? 0n

const attributeOf = (bytes: Buffer): Attribute => {
  const [first] = fieldsOf(bytes)
  switch (first?.field) {
    case 1:
      return first.bytes.toString("utf8")
    case 2:
      return first.value === 1n
    case 3:
      return Number(BigInt.asIntN(64, first.value))
    case 4:
      return first.bytes.readDoubleLE(0)
    default:
      return undefined
  }
}

const attributesOf = (all: ReadonlyArray<Buffer>): ReadonlyMap<string, Attribute> =>
  new Map(
    all.map((bytes) => {
      const fields = fieldsOf(bytes)
      return [bytesOf(fields, 1).toString("utf8"), attributeOf(bytesOf(fields, 2))]
    })
  )

const spanOf = (bytes: Buffer, resource: ReadonlyMap<string, Attribute>): Span => {
  const fields = fieldsOf(bytes)
  return {
    traceId: bytesOf(fields, 1).toString("hex"),
    spanId: bytesOf(fields, 2).toString("hex"),
    parentId: bytesOf(fields, 4).toString("hex"),
    name: bytesOf(fields, 5).toString("utf8"),
    // 1 is INTERNAL on the wire.
    kind: Number(numberOf(fields, 6)),
    start: numberOf(fields, 7),
    end: numberOf(fields, 8),
    attributes: attributesOf(all(fields, 9)),
    links: all(fields, 13).map((link) => {
      const of = fieldsOf(link)
      return { traceId: bytesOf(of, 1).toString("hex"), spanId: bytesOf(of, 2).toString("hex") }
    }),
    status: Number(numberOf(fieldsOf(bytesOf(fields, 15)), 3)),
    resource
  }
}

/** Every span of an ExportTraceServiceRequest. */
export const spansOf = (request: Buffer): ReadonlyArray<Span> =>
  all(fieldsOf(request), 1).flatMap((resourceSpans) => {
    const fields = fieldsOf(resourceSpans)
    const resource = attributesOf(all(fieldsOf(bytesOf(fields, 1)), 1))
    return all(fields, 2).flatMap((scope) => all(fieldsOf(scope), 2).map((span) => spanOf(span, resource)))
  })

export class OtlpReceiver {
  readonly spans: Array<Span> = []
  readonly url: string
  private readonly server: Server
  private readonly watchers = new Set<() => void>()

  private constructor(server: Server) {
    this.server = server
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  static async start(): Promise<OtlpReceiver> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const receiver = new OtlpReceiver(server)
    server.on("request", (request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        const body = Buffer.concat(chunks)
        const plain = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body
        if (request.url === "/v1/traces") receiver.take(spansOf(plain))
        response.writeHead(request.url === "/v1/traces" ? 200 : 404, { "content-type": "application/x-protobuf" })
        response.end()
      })
    })
    return receiver
  }

  private take(spans: ReadonlyArray<Span>): void {
    this.spans.push(...spans)
    for (const watcher of this.watchers) watcher()
  }

  /** Resolves with what `find` finds, as soon as it is not undefined. */
  until<A>(find: (spans: ReadonlyArray<Span>) => A | undefined, what: string, timeoutMs = 30_000): Promise<A> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = find(this.spans)
        if (found === undefined) return
        stop()
        resolve(found)
      }
      const timer = setTimeout(() => {
        stop()
        const names = [...new Set(this.spans.map((span) => span.name))].join(", ")
        reject(new Error(`waited ${timeoutMs} ms for ${what}; ${this.spans.length} spans came: ${names}`))
      }, timeoutMs)
      const stop = (): void => {
        clearTimeout(timer)
        this.watchers.delete(look)
      }
      this.watchers.add(look)
      look()
    })
  }

  /** The spans of a trace. */
  trace(traceId: string): ReadonlyArray<Span> {
    return this.spans.filter((span) => span.traceId === traceId)
  }

  stop(): void {
    this.server.closeAllConnections()
    this.server.close()
  }
}
