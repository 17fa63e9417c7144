import { readFileSync } from "node:fs"
import { connect, type Socket } from "node:net"
import type { ConnectionOptions } from "node:tls"
import { assert, describe, it } from "vitest"
import { type Stage, withFrontend } from "./harness.ts"

const pem = (name: string): string => readFileSync(new URL(`certificates/${name}`, import.meta.url), "utf8")
const ca = pem("ca.pem")
const server = { cert: pem("server.pem"), key: pem("server.key"), ca }
const alice = { ca, cert: pem("client.pem"), key: pem("client.key") }

/** As a proxy sends it for a client at this address. */
const v1 = (address: string): Buffer => Buffer.from(`PROXY TCP4 ${address} 192.0.2.99 40000 2181\r\n`)
const v2 = (address: string): Buffer => {
  const numbers = (text: string) => text.split(".").map(Number)
  const addresses = [...numbers(address), ...numbers("192.0.2.99"), 0x9c, 0x40, 0x08, 0x85]
  return Buffer.from([...Buffer.from("\r\n\r\n\0\r\nQUIT\n"), 0x21, 0x11, 0, addresses.length, ...addresses])
}
/** What a health check of haproxy's begins with: it speaks for itself. */
const LOCAL = Buffer.from([...Buffer.from("\r\n\r\n\0\r\nQUIT\n"), 0x20, 0, 0, 0])

/** A connection of a proxy's that has sent this much. */
const passed = (port: number, ...parts: ReadonlyArray<Buffer>): Promise<Socket> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => {
      for (const part of parts) socket.write(part)
      resolve(socket)
    })
  })
const secure = async ({ client, port }: Stage, header: Buffer, tls: ConnectionOptions) =>
  client({ ...tls, socket: await passed(port, header) })

const ipOf = async ({ sessions: [session] }: Stage, count: number) =>
  (await session!.first("Connect", count)).identity.filter(({ scheme }) => scheme === "ip").map(({ id }) => id)

describe("connections of a proxy", () => {
  it.each([
    ["127.0.0.1", v1],
    ["127.0.0.0/8", v2],
    ["localhost", v2]
  ])("are of the client that their header names, where %s is trusted", (proxy, header) =>
    withFrontend({ proxies: [proxy] }, async (stage) => {
      const raw = stage.client()
      raw.send(header("203.0.113.5"), raw.connectFrame())
      await raw.frame(1)
      assert.deepStrictEqual(await ipOf(stage, 1), ["203.0.113.5"])
      raw.send(raw.requestFrame(1, 4))
      assert.strictEqual((await raw.reply(2)).xid, 1)
      const word = stage.client()
      word.send(LOCAL, Buffer.from("cons"))
      await word.connected()
      const { port } = word
      const told = await word.untilClosed()
      assert.include(told, "/203.0.113.5:40000")
      assert.include(told, `/127.0.0.1:${port}`)
    })
  )

  it("may send their header piece by piece", () =>
    withFrontend({ proxies: ["127.0.0.1"] }, async (stage) => {
      const raw = stage.client()
      for (const byte of v2("203.0.113.6")) {
        await new Promise<void>((sent) => raw.socket.write(Buffer.from([byte]), () => sent()))
      }
      await raw.open()
      assert.deepStrictEqual(await ipOf(stage, 1), ["203.0.113.6"])
    }))

  it("are counted by client, not by proxy", () =>
    withFrontend({ proxies: ["127.0.0.1"], maxClientCnxns: 1 }, async (stage) => {
      const come = (address: string) => {
        const raw = stage.client()
        raw.send(v2(address), raw.connectFrame())
        return raw
      }
      const first = come("203.0.113.1")
      await first.frame(1)
      await come("203.0.113.2").frame(1)
      const surplus = come("203.0.113.1")
      await surplus.closed()
      assert.lengthOf(surplus.frames, 0)
      first.socket.destroy()
      // The place is free as soon as the frontend has seen its end.
      for (;;) {
        const next = come("203.0.113.1")
        await next.frame(1)
        if (next.frames.length === 1) break
      }
    }))

  it("are closed if they begin with anything else, and others' if they begin with a header", () =>
    withFrontend({ proxies: ["127.0.0.1"] }, async ({ client, sessions: [session] }) => {
      for (const bytes of [Buffer.from("srvr"), v1("203.0.113.256"), Buffer.from([0x16, 3, 1, 0])]) {
        const raw = client()
        raw.send(bytes, raw.connectFrame())
        assert.strictEqual(await raw.untilClosed(), "")
      }
      const silent = client()
      silent.send(v2("203.0.113.1").subarray(0, 20))
      silent.socket.end()
      await silent.closed()
      assert.lengthOf(session!.all("Connect"), 0)
      const word = client()
      word.send(LOCAL, Buffer.from("mntr"))
      assert.match(await word.untilClosed(), /^zk_proxy_header_rejected\t4$/m)
    }).then(() =>
      withFrontend({ proxies: ["203.0.113.0/24", "::1"] }, async (stage) => {
        const forged = stage.client()
        forged.send(v2("203.0.113.1"), forged.connectFrame())
        assert.strictEqual(await forged.untilClosed(), "")
        await stage.client().open()
        assert.deepStrictEqual(await ipOf(stage, 1), ["127.0.0.1"])
      })
    ))

  it("may go on with TLS, and without it on a unified port", () =>
    withFrontend({ proxies: ["127.0.0.1"], tls: { ...server, clientAuth: "need", unified: true } }, async (stage) => {
      const raw = await secure(stage, v2("203.0.113.7"), alice)
      await raw.open()
      assert.deepStrictEqual(
        (await stage.sessions[0]!.first("Connect")).identity.map(({ id }) => id),
        ["203.0.113.7", "CN=alice,O=Acme\\, Inc.,C=NL"]
      )
      const plain = stage.client()
      plain.send(v1("203.0.113.8"), plain.connectFrame())
      await plain.frame(1)
      assert.deepStrictEqual(await ipOf(stage, 2), ["203.0.113.8"])
    }))

  it("may go on with TLS alone", () =>
    withFrontend({ proxies: ["127.0.0.1"], tls: { ...server, clientAuth: "none" } }, async (stage) => {
      const raw = await secure(stage, v1("203.0.113.9"), { ca })
      await raw.open()
      assert.deepStrictEqual(await ipOf(stage, 1), ["203.0.113.9"])
    }))
})
