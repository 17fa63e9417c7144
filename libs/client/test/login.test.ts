import { once } from "node:events"
import { ErrorCode, OpCode, readSaslToken, writeEmptyReply } from "@zkmesh/protocol"
import { DigestServer, SaslError } from "@zkmesh/sasl"
import { afterEach, assert, describe, it } from "vitest"
import { ZkClient, ZkError } from "../src/index.ts"
import { type Exchange, type ScriptedServer, startScripted } from "./scripted.ts"

const opened: Array<{ close: () => Promise<unknown> }> = []
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close()
})

/** A server that knows bob, and remembers in which order it was asked for what. */
const startKnowing = async (asked: Array<string>): Promise<ScriptedServer> => {
  const exchanges = new Map<number, DigestServer>()
  const sasl = ({ connection, xid, reader, send }: Exchange): void => {
    const options = { service: "zookeeper", host: "zk-sasl-md5", realm: "zk-sasl-md5", nonce: `n${connection}` }
    const passwordOf = (user: string) => (user === "bob" ? "secret" : undefined)
    const exchange = exchanges.get(connection) ?? new DigestServer({ ...options, passwordOf })
    exchanges.set(connection, exchange)
    try {
      const { token } = exchange.step(readSaslToken(reader).token ?? new Uint8Array(0))
      send((w) => {
        const at = w.beginReply(xid, 0, 0)
        w.buffer(token)
        w.endFrame(at)
      })
    } catch (error) {
      if (!(error instanceof SaslError)) throw error
      send((w) => writeEmptyReply(w, xid, 0, ErrorCode.AUTHFAILED))
    }
  }
  const server = await startScripted((exchange) => {
    asked.push(`${exchange.connection}:${exchange.op}`)
    if (exchange.op === OpCode.sasl) sasl(exchange)
    else exchange.send((w) => writeEmptyReply(w, exchange.xid, 1, 0))
  })
  opened.push(server)
  return server
}

const connect = (server: ScriptedServer, password: string): ZkClient => {
  const client = new ZkClient(server.address, { sasl: { username: "bob", password } })
  opened.push(client)
  return client
}

describe("a client with a password", () => {
  it("proves to know it on every connection, before it asks for anything", async () => {
    const asked: Array<string> = []
    const server = await startKnowing(asked)
    const client = connect(server, "secret")
    const early = client.delete("/early")
    await early
    const sasl = `1:${OpCode.sasl}`
    assert.deepStrictEqual(asked, [sasl, sasl, `1:${OpCode.delete}`])
    const cut = once(client, "disconnect")
    server.cut()
    await cut
    await client.delete("/late")
    assert.deepStrictEqual(asked.slice(3), [`2:${OpCode.sasl}`, `2:${OpCode.sasl}`, `2:${OpCode.delete}`])
  })

  it("ends where the server does not accept it", async () => {
    const asked: Array<string> = []
    const client = connect(await startKnowing(asked), "wrong")
    const failed = await client.delete("/x").then(
      () => undefined,
      (error: unknown) => error
    )
    assert.instanceOf(failed, ZkError)
    assert.strictEqual((failed as ZkError).code, ErrorCode.AUTHFAILED)
    assert.strictEqual(client.state, "AUTH_FAILED")
    assert.notInclude(asked, `1:${OpCode.delete}`)
  })

  it("ends where the server does not know SASL", async () => {
    const server = await startScripted(({ xid, send }) =>
      send((w) => {
        const at = w.beginReply(xid, 0, 0)
        w.buffer(null)
        w.endFrame(at)
      })
    )
    opened.push(server)
    const client = connect(server, "secret")
    const failed = await client.delete("/x").then(
      () => undefined,
      (error: unknown) => error
    )
    assert.strictEqual((failed as ZkError).code, ErrorCode.AUTHFAILED)
  })
})
