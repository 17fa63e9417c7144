import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, it } from "@effect/vitest"
import { Registry } from "@zkmesh/metrics"
import { exportOtlp } from "@zkmesh/metrics/otlp"

it("a collector gets what is in the registry, on the last occasion too", async () => {
  const bodies: Array<Buffer> = []
  const collector = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      bodies.push(Buffer.concat(chunks))
      response.writeHead(200, { "content-type": "application/x-protobuf" }).end()
    })
  })
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve))
  const before = process.env["OTEL_EXPORTER_OTLP_ENDPOINT"]
  process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`
  try {
    const registry = new Registry()
    registry.summary("fsynctime").record(3)
    registry.summary("readlatency").record(2, 10)
    registry.observe("tree", () => ({ znode_count: 5 }))
    await exportOtlp(registry, { "service.name": "zkmesh-test" }).shutdown()
  } finally {
    if (before === undefined) delete process.env["OTEL_EXPORTER_OTLP_ENDPOINT"]
    else process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = before
    collector.closeAllConnections()
    collector.close()
  }
  // Names and attributes are readable in protobuf as they are.
  const text = Buffer.concat(bodies).toString("latin1")
  for (const word of ["zkmesh-test", "znode_count", "fsynctime_sum", "readlatency_count", "quantile"]) {
    assert.include(text, word)
  }
})
