import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { withFrontend } from "./harness.ts"

/** Certificates for these tests alone, good for a hundred years; nothing trusts their authority. */
const pem = (name: string): string => readFileSync(new URL(`certificates/${name}`, import.meta.url), "utf8")
const ca = pem("ca.pem")
const server = { cert: pem("server.pem"), key: pem("server.key"), ca }
const alice = { ca, cert: pem("client.pem"), key: pem("client.key") }

describe("TLS", () => {
  it("takes clients like any others, and knows them by their certificate", () =>
    withFrontend({ tls: { ...server, clientAuth: "need" } }, async ({ client, sessions: [session] }) => {
      const raw = client(alice)
      await raw.open()
      const { identity } = await session!.first("Connect")
      assert.deepStrictEqual(identity, [
        { scheme: "ip", id: "127.0.0.1" },
        { scheme: "x509", id: "CN=alice,O=Acme\\, Inc.,C=NL" }
      ])
      raw.send(raw.requestFrame(1, 4))
      assert.strictEqual((await raw.reply(2)).xid, 1)
      const word = client(alice)
      word.send(Buffer.from("ruok"))
      assert.strictEqual(await word.untilClosed(), "imok")
    }))

  it("turns away who proves nothing, if everybody has to", () =>
    withFrontend({ tls: { ...server, clientAuth: "need" } }, async ({ client, sessions: [session] }) => {
      for (const options of [{ ca }, undefined]) {
        const raw = client(options)
        raw.send(raw.connectFrame())
        await raw.closed()
      }
      assert.lengthOf(session!.all("Connect"), 0)
    }))

  it("takes a certificate if there is one, and none as well, but no wrong one", () =>
    withFrontend({ tls: { ...server, clientAuth: "want" } }, async ({ client, sessions: [session] }) => {
      await client({ ca }).open()
      assert.lengthOf((await session!.first("Connect")).identity, 1)
      await client(alice).open()
      assert.lengthOf((await session!.first("Connect", 2)).identity, 2)
    }))
})
