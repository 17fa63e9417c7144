import { execFile } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { ZkClient, ZkError } from "@zkmesh/client"
import { ErrorCode, OpCode, readSetWatchesRequest, writeEmptyReply, writeNotification, Xid } from "@zkmesh/protocol"
import { afterEach } from "vitest"
import { type Exchange, type ScriptedServer, startScripted } from "./scripted.ts"

const stat = [1, 2, 3, 4, 5, 6, 7, 0, 9, 10, 11] as const
const codeName = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise
  } catch (error) {
    if (error instanceof ZkError) return error.codeName
    throw error
  }
  return "OK"
}

/** What a decent server does: answers reads with data, everything else with success. */
const decent = ({ xid, op, send }: Exchange): void =>
  send((w) => {
    const at = w.beginReply(xid, 5, 0)
    if (op === OpCode.getData) {
      w.buffer(Buffer.from("data"))
      w.stat(...stat)
    }
    w.endFrame(at)
  })

describe("a server that does not keep to the protocol", () => {
  const opened: Array<{ close: () => Promise<void> }> = []
  afterEach(async () => {
    for (const each of opened.splice(0).reverse()) await each.close()
  })
  const start = async (script: (exchange: Exchange) => void) => {
    const server = await startScripted(script)
    const client = new ZkClient(server.address)
    opened.push(server, client)
    await client.connected(5000)
    return client
  }
  /** Misbehaves at the first getData of all, and is decent ever after. */
  const misbehavingOnce = (misbehave: (exchange: Exchange) => void) => {
    let done = false
    return (exchange: Exchange): void => {
      if (done || exchange.op !== OpCode.getData) {
        decent(exchange)
        return
      }
      done = true
      misbehave(exchange)
    }
  }

  it("a reply to the wrong request, or to none, costs the connection", async () => {
    for (const xid of [99, 0, -3]) {
      const client = await start(misbehavingOnce(({ send }) => send((w) => writeEmptyReply(w, xid, 1, 0))))
      assert.strictEqual(await codeName(client.getData("/a")), "CONNECTIONLOSS")
      await client.connected(5000)
      assert.strictEqual((await client.getData("/a")).data?.toString(), "data")
    }
  })

  it("so do a frame that is too long, one of negative length, and one without a header", async () => {
    for (const length of [0x7fff_ffff, -1, 2]) {
      const client = await start(
        misbehavingOnce(({ send }) =>
          send((w) => {
            w.int(length)
            w.int(0)
          })
        )
      )
      assert.strictEqual(await codeName(client.getData("/a")), "CONNECTIONLOSS")
      await client.connected(5000)
    }
  })

  it("a body that is not the record costs only its request", async () => {
    const client = await start(misbehavingOnce(({ xid, send }) => send((w) => writeEmptyReply(w, xid, 1, 0))))
    const results = await Promise.all([codeName(client.getData("/a")), codeName(client.getData("/a"))])
    assert.deepStrictEqual([...results, client.state], ["MARSHALLINGERROR", "OK", "CONNECTED"])
  })

  it("watches that it refuses to take back cost the connection, until it takes them", async () => {
    let refused = 0
    const server: ScriptedServer = await startScripted((exchange) => {
      if (exchange.op !== OpCode.setWatches || refused === 2) return decent(exchange)
      refused++
      return exchange.send((w) => writeEmptyReply(w, Xid.setWatches, 1, ErrorCode.MARSHALLINGERROR))
    })
    const client = new ZkClient(server.address)
    opened.push(server, client)
    await client.getData("/a", () => undefined)
    const gone = once(client, "disconnect")
    server.cut()
    await gone
    while (refused < 2) await once(client, "state")
    await client.connected(5000)
    assert.strictEqual((await client.getData("/a")).data?.toString(), "data")
  })

  it("many watches go in several requests, each of bearable size, and none is forgotten", async () => {
    const told: Array<ReadonlyArray<string>> = []
    const all = Promise.withResolvers<void>()
    const count = 3000
    const server = await startScripted((exchange) => {
      if (exchange.op === OpCode.setWatches) {
        const { data, relativeZxid } = readSetWatchesRequest(exchange.reader)
        assert.strictEqual(relativeZxid, 5)
        told.push(data)
        if (told.flat().length >= count) all.resolve()
      }
      decent(exchange)
    })
    const client = new ZkClient(server.address)
    opened.push(server, client)
    const paths = Array.from({ length: count }, (_, i) => `/${"x".repeat(100)}${i}`)
    await Promise.all(paths.map((path) => client.getData(path, () => undefined)))
    server.cut()
    await all.promise
    assert.deepStrictEqual(told.flat(), paths)
    for (const batch of told) assert.isBelow(batch.join("").length, 140_000)
    assert.strictEqual(told.length, 3)
  })

  it("an event that nobody watches for is of no consequence", async () => {
    const client = await start((exchange) => {
      exchange.send((w) => writeNotification(w, 9, 3, "/a"))
      decent(exchange)
    })
    assert.strictEqual((await client.getData("/a")).data?.toString(), "data")
    // Events do not count as seen: only replies do.
    assert.strictEqual(client.lastZxidSeen, 5)
  })
})

describe("TLS", () => {
  it("the same protocol, below a certificate that is checked", async ({ skip }) => {
    const directory = await mkdtemp(join(tmpdir(), "tls-"))
    const [keyFile, certFile] = [join(directory, "key.pem"), join(directory, "cert.pem")]
    const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    try {
      await promisify(execFile)("openssl", ["req", ...kind, ...names, "-keyout", keyFile, "-out", certFile])
    } catch (error) {
      skip(error instanceof Error && "code" in error && error.code === "ENOENT", "openssl is not installed")
      throw error
    }
    const [key, cert] = [await readFile(keyFile), await readFile(certFile)]
    await rm(directory, { recursive: true })
    const server = await startScripted(decent, { key, cert })
    const trusting = new ZkClient(server.address, { tls: { ca: cert } })
    assert.strictEqual((await trusting.getData("/a")).data?.toString(), "data")
    await trusting.close()
    const wary = new ZkClient(server.address, { tls: {} })
    const [reason] = await once(wary, "disconnect")
    assert.match(String(reason), /self-signed/)
    await wary.close()
    await server.close()
  })
})

describe("a server that takes no writes", () => {
  it("is good enough until one is found that does", async () => {
    const readOnly = await startScripted(decent, undefined, true)
    const readWrite = await startScripted(decent)
    const states: Array<string> = []
    const client = new ZkClient(`${readOnly.address},${readWrite.address}`, { readOnly: true, inOrder: true })
    client.on("state", (state) => states.push(state))
    const connected = async (wanted: string): Promise<void> => {
      while (client.state !== wanted) await once(client, "state", { signal: AbortSignal.timeout(10_000) })
    }
    await connected("CONNECTEDREADONLY")
    assert.strictEqual(client.server, readOnly.address)
    assert.strictEqual((await client.getData("/a")).data?.toString(), "data")
    await connected("CONNECTED")
    assert.strictEqual(client.server, readWrite.address)
    assert.deepStrictEqual(states, ["CONNECTEDREADONLY", "CONNECTING", "CONNECTED"])
    await client.close()
    await readOnly.close()
    await readWrite.close()
  })

  it("is not left for another one of its kind, or for nobody", async () => {
    let asked = 0
    const nobody = net.createServer((socket) => {
      asked++
      socket.end("ro")
    })
    nobody.listen(0, "127.0.0.1")
    await once(nobody, "listening")
    const { port } = nobody.address() as net.AddressInfo
    const readOnly = await startScripted(decent, undefined, true)
    const client = new ZkClient(`${readOnly.address},127.0.0.1:${port}`, { readOnly: true, inOrder: true })
    await client.connected(5000)
    while (asked < 2) await once(nobody, "connection", { signal: AbortSignal.timeout(10_000) })
    assert.strictEqual(client.state, "CONNECTEDREADONLY")
    assert.strictEqual((await client.getData("/a")).data?.toString(), "data")
    await client.close()
    nobody.close()
    await readOnly.close()
  })
})
