import { ErrorCode, JuteReader, JuteWriter, OpCode, writeSaslToken } from "@zkmesh/protocol"
import { DigestClient } from "@zkmesh/sasl"
import { assert, describe, it } from "vitest"
import { type Authentication, DEFAULT_AUTHENTICATION } from "../src/index.ts"
import { type RawClient, withFrontend } from "./harness.ts"

const sasl = {
  passwords: new Map([
    ["bob", "secret"],
    ["root", "deep"]
  ]),
  superUsers: new Set(["root"])
}
const withSasl = (more: Partial<Authentication> = {}) => ({
  authentication: { ...DEFAULT_AUTHENTICATION, sasl, ...more }
})

/** Sends a token as the `xid`th request and returns what came as its answer. */
const say = async (raw: RawClient, xid: number, token: Uint8Array) => {
  const writer = new JuteWriter()
  writeSaslToken(writer, { token })
  raw.send(raw.requestFrame(xid, OpCode.sasl, writer.take()))
  const { err } = await raw.reply(xid + 1)
  const body = raw.frames[xid]!.subarray(16)
  return { err, token: body.length === 0 ? null : new JuteReader(body).buffer() }
}

const login = async (raw: RawClient, username: string, password: string) => {
  await raw.open()
  const client = new DigestClient({ username, password, service: "zookeeper", host: "zk-sasl-md5", cnonce: "c" })
  const challenge = await say(raw, 1, client.begin())
  return { client, answer: await say(raw, 2, client.step(challenge.token!)!) }
}

describe("SASL", () => {
  it("makes a client who it says it is, for what it asks from then on", () =>
    withFrontend(withSasl(), async ({ client, sessions: [session] }) => {
      const raw = client()
      const bob = await login(raw, "bob", "secret")
      assert.strictEqual(bob.answer.err, ErrorCode.OK)
      assert.isUndefined(bob.client.step(bob.answer.token!), "the server has proved itself as well")
      assert.deepStrictEqual((await session!.first("Identify")).identity.slice(1), [{ scheme: "sasl", id: "bob" }])
      const root = await login(client(), "root", "deep")
      assert.strictEqual(root.answer.err, ErrorCode.OK)
      assert.deepStrictEqual((await session!.first("Identify", 2)).identity.slice(1), [
        { scheme: "sasl", id: "root" },
        { scheme: "super", id: "" }
      ])
      // Nonces are drawn anew.
      assert.notStrictEqual(`${bob.answer.token}`, `${root.answer.token}`)
    }))

  it("ends a connection whose client it does not know", () =>
    withFrontend(withSasl(), async ({ client, sessions: [session] }) => {
      for (const [user, password] of [
        ["bob", "wrong"],
        ["eve", "secret"]
      ] as const) {
        const raw = client()
        const { answer } = await login(raw, user, password)
        assert.deepStrictEqual(answer, { err: ErrorCode.AUTHFAILED, token: null })
        await raw.closed()
      }
      const hasty = client()
      await hasty.open()
      assert.strictEqual((await say(hasty, 1, Buffer.from('username="bob"'))).err, ErrorCode.AUTHFAILED)
      await hasty.closed()
      assert.lengthOf(session!.all("Identify"), 0)
    }))

  it("lets who has failed go on as nobody, where that is allowed", () =>
    withFrontend(withSasl({ allowsFailedSasl: true }), async ({ client, sessions: [session] }) => {
      const raw = client()
      const { answer } = await login(raw, "bob", "wrong")
      assert.deepStrictEqual(answer, { err: ErrorCode.OK, token: null })
      raw.send(raw.requestFrame(3, OpCode.getData))
      assert.strictEqual((await raw.reply(4)).xid, 3)
      assert.lengthOf(session!.all("Identify"), 0)
    }))
})

describe("a scheme that is required", () => {
  it("is asked for before the first request", () =>
    withFrontend(withSasl({ required: ["sasl"], allowsFailedSasl: true }), async ({ client, sessions: [session] }) => {
      const nobody = client()
      await nobody.open()
      nobody.send(nobody.requestFrame(1, OpCode.getData), nobody.requestFrame(2, OpCode.getData))
      assert.deepStrictEqual(await nobody.reply(2), { xid: 1, zxid: 0, err: ErrorCode.SESSIONCLOSEDREQUIRESASLAUTH })
      await nobody.closed()
      assert.lengthOf(nobody.frames, 2)
      const wrong = await login(client(), "bob", "wrong")
      assert.deepStrictEqual(wrong.answer, { err: ErrorCode.SESSIONCLOSEDREQUIRESASLAUTH, token: null })
      const raw = client()
      await login(raw, "bob", "secret")
      raw.send(raw.requestFrame(3, OpCode.getData))
      assert.strictEqual((await raw.reply(4)).err, ErrorCode.OK)
      assert.lengthOf(session!.requests, 1)
    }))

  it("may be any one of several", () =>
    withFrontend(
      { authentication: { ...DEFAULT_AUTHENTICATION, required: ["x509", "digest"] } },
      async ({ client }) => {
        const raw = client()
        await raw.open()
        const auth = new JuteWriter()
        auth.int(0)
        auth.ustring("digest")
        auth.buffer(Buffer.from("a:b"))
        raw.send(raw.requestFrame(-4, OpCode.auth, auth.take()), raw.requestFrame(1, OpCode.getData))
        assert.strictEqual((await raw.reply(3)).xid, 1)
        const place = client()
        await place.open()
        place.send(place.requestFrame(1, OpCode.ping))
        assert.strictEqual((await place.reply(2)).err, ErrorCode.SESSIONCLOSEDREQUIRESASLAUTH)
      }
    ))

  it("digest may be none of those that are known", () =>
    withFrontend(
      { authentication: { ...DEFAULT_AUTHENTICATION, digest: { isEnabled: false, algorithm: "sha1" } } },
      async ({ client }) => {
        const raw = client()
        await raw.open()
        const auth = new JuteWriter()
        auth.int(0)
        auth.ustring("digest")
        auth.buffer(Buffer.from("a:b"))
        raw.send(raw.requestFrame(-4, OpCode.auth, auth.take()))
        assert.strictEqual((await raw.reply(2)).err, ErrorCode.AUTHFAILED)
      }
    ))
})
