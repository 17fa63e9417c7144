import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { TLSSocket } from "node:tls"
import { OpCode } from "@zkmesh/protocol"
import { Effect } from "effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { TlsError, type TlsMaterial } from "../src/index.ts"
import { Authority, type Issued } from "./authority.ts"
import { type RawClient, withFrontend } from "./harness.ts"

let directory: string
let ours: Authority
let others: Authority
let server: Issued
let alice: Issued

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "zkmesh-test-"))
  ours = Authority.make(directory, "ours")
  others = Authority.make(directory, "others")
  server = ours.issue("server", "/CN=localhost")
  alice = ours.issue("alice", "/C=NL/O=Acme/CN=alice")
})
afterAll(() => rmSync(directory, { recursive: true }))

const refused = async (raw: RawClient): Promise<void> => {
  raw.send(raw.connectFrame())
  await raw.closed()
  assert.lengthOf(raw.frames, 0)
}

const shown = (raw: RawClient): string => {
  if (!(raw.socket instanceof TLSSocket)) throw new Error("this client does not speak TLS")
  return raw.socket.getPeerX509Certificate()!.subject
}

describe("clients' certificates", () => {
  for (const clientAuth of ["need", "want"] as const) {
    it(`are checked where they are asked for (${clientAuth})`, () => {
      const ca = ours.cert
      const expired = ours.issue(`expired-${clientAuth}`, "/CN=alice", { isExpired: true })
      const revoked = ours.issue(`revoked-${clientAuth}`, "/CN=mallory")
      const stranger = others.issue(`stranger-${clientAuth}`, "/CN=alice")
      const crl = ours.revoke(revoked)
      return withFrontend(
        { tls: { cert: server.cert, key: server.key, ca, crl, clientAuth } },
        async ({ client, sessions: [session] }) => {
          for (const { cert, key } of [expired, revoked, stranger]) await refused(client({ ca, cert, key }))
          if (clientAuth === "need") await refused(client({ ca }))
          else await client({ ca }).open()
          await client({ ca, cert: alice.cert, key: alice.key }).open()
          const connects = session!.all("Connect")
          assert.lengthOf(connects, clientAuth === "need" ? 1 : 2)
          assert.deepStrictEqual(connects.at(-1)!.identity.at(-1), { scheme: "x509", id: "CN=alice,O=Acme,C=NL" })
        }
      )
    })
  }

  it("may have to name where they come from", () => {
    const elsewhere = ours.issue("elsewhere", "/CN=alice", { names: "DNS:elsewhere.example" })
    const local = ours.issue("local", "/CN=alice", { names: "DNS:localhost" })
    const trust = { cert: server.cert, key: server.key, ca: ours.cert, clientAuth: "need" } as const
    const known = (issued: Issued) => ({ ca: ours.cert, cert: issued.cert, key: issued.key })
    return withFrontend({ tls: { ...trust, verifyHost: { reverseDns: false } } }, async ({ client }) => {
      for (const one of [elsewhere, local]) await refused(client(known(one)))
      await client(known(alice)).open()
    }).then(() =>
      withFrontend({ tls: { ...trust, verifyHost: { reverseDns: true } } }, async ({ client }) => {
        await refused(client(known(elsewhere)))
        // The address 127.0.0.1 has the name localhost.
        for (const one of [local, alice]) await client(known(one)).open()
      })
    )
  })

  it("may name the one who may do everything", () =>
    withFrontend(
      {
        tls: {
          cert: server.cert,
          key: server.key,
          ca: ours.cert,
          clientAuth: "need",
          superUser: "CN=alice,O=Acme,C=NL"
        }
      },
      async ({ client, sessions: [session] }) => {
        await client({ ca: ours.cert, cert: alice.cert, key: alice.key }).open()
        assert.deepStrictEqual(session!.all("Connect")[0]!.identity.slice(2), [{ scheme: "super", id: "" }])
      }
    ))
})

describe("a server's certificate", () => {
  it("is shown by the TLS versions and suites that are asked for, and no others", () =>
    withFrontend(
      {
        tls: {
          cert: server.cert,
          key: server.key,
          clientAuth: "none",
          maxVersion: "TLSv1.2",
          ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384"
        }
      },
      async ({ client }) => {
        await refused(client({ ca: ours.cert, minVersion: "TLSv1.3" }))
        await refused(client({ ca: ours.cert, ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" }))
        await client({ ca: ours.cert }).open()
      }
    ))
})

describe("a port for both", () => {
  it("takes clients with and without TLS, and four-letter words by either way", () =>
    withFrontend(
      { tls: { cert: server.cert, key: server.key, ca: ours.cert, clientAuth: "need", unified: true } },
      async ({ client, sessions: [session] }) => {
        const secure = client({ ca: ours.cert, cert: alice.cert, key: alice.key })
        await secure.open()
        const plain = client()
        await plain.open()
        for (const raw of [secure, plain]) {
          raw.send(raw.requestFrame(1, OpCode.getData), raw.requestFrame(2, OpCode.getData))
          assert.strictEqual((await raw.reply(3)).xid, 2)
        }
        assert.deepStrictEqual(
          session!.all("Connect").map(({ identity }) => identity.map(({ scheme }) => scheme)),
          [["ip", "x509"], ["ip"]]
        )
        await refused(client({ ca: ours.cert }))
        for (const tls of [undefined, { ca: ours.cert, cert: alice.cert, key: alice.key }]) {
          const word = client(tls)
          word.send(Buffer.from("ruok"))
          assert.strictEqual(await word.untilClosed(), "imok")
        }
      }
    ))

  it("counts whoever says nothing, and does not wait for them for ever", () =>
    withFrontend(
      {
        maxClientCnxns: 1,
        tls: {
          cert: server.cert,
          key: server.key,
          clientAuth: "none",
          unified: true,
          detectionTimeoutMs: 300
        }
      },
      async ({ client }) => {
        const silent = client()
        await new Promise<void>((resolve) => silent.socket.once("connect", resolve))
        await refused(client())
        await silent.closed()
        await client().open()
      }
    ))
})

describe("renewed certificates", () => {
  it("are shown and demanded from then on, while those who are there stay", () => {
    const next = others.issue("server", "/CN=renewed")
    const bob = others.issue("bob", "/CN=bob")
    let stamp = "1"
    let material: TlsMaterial = { cert: server.cert, key: server.key, ca: ours.cert }
    let looked = 0
    const source = {
      stamp: Effect.sync(() => {
        looked++
        return stamp
      }),
      read: Effect.suspend(() =>
        stamp === "unreadable" ? Effect.fail(new TlsError({ message: "no such file" })) : Effect.succeed(material)
      ),
      everyMs: 10
    }
    const seen = async (): Promise<void> => {
      const before = looked
      while (looked < before + 2) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    return withFrontend({ tls: { clientAuth: "need", source } }, async ({ client }) => {
      const old = client({ ca: ours.cert, cert: alice.cert, key: alice.key })
      await old.open()
      let asked = 0
      const goesOn = async (): Promise<void> => {
        old.send(old.requestFrame(++asked, OpCode.getData))
        assert.strictEqual((await old.reply(asked + 1)).xid, asked)
      }
      // Neither what cannot be read nor what cannot be used replaces what is there.
      stamp = "unreadable"
      await seen()
      material = { cert: next.cert, key: server.key, ca: others.cert }
      stamp = "2"
      await seen()
      const still = client({ ca: ours.cert, cert: alice.cert, key: alice.key })
      await still.open()
      assert.strictEqual(shown(still), "CN=localhost")
      await goesOn()
      material = { cert: next.cert, key: next.key, ca: others.cert }
      stamp = "3"
      await seen()
      const fresh = client({ ca: others.cert, cert: bob.cert, key: bob.key })
      await fresh.open()
      assert.strictEqual(shown(fresh), "CN=renewed")
      await refused(client({ ca: others.cert, cert: alice.cert, key: alice.key }))
      await goesOn()
      assert.isFalse(still.isClosed)
    })
  })
})
