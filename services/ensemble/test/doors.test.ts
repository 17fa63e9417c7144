import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { readConfig } from "@zkmesh/config"
import { DEFAULT_AUTHENTICATION } from "@zkmesh/service-frontend"
import { Effect } from "effect"
import { readTls } from "../src/certificates.ts"
import { doorName, doorsAt } from "../src/doors.ts"

const authentication = DEFAULT_AUTHENTICATION
const CERTIFICATES = join(import.meta.dirname, "../../frontend/test/certificates")
const read = (name: string) => Effect.promise(() => readFile(join(CERTIFICATES, name), "utf8"))
const tlsOf = (text: string) => Effect.flatMap(readConfig({ file: { name: "zoo.cfg", text } }), readTls)
const temporary = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "zkmesh-test-"))),
  (directory) => Effect.promise(() => rm(directory, { recursive: true }))
)

describe("TLS for clients", () => {
  it.effect("is off unless a port asks for it", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* tlsOf("ssl.keyStore.location=/nowhere"))
    })
  )

  it.effect("reads certificate and key from one file, and demands certificates of clients as ZooKeeper does", () =>
    Effect.gen(function* () {
      const keyStore = join(yield* temporary, "keystore.pem")
      const pem = (yield* read("server.pem")) + (yield* read("server.key"))
      yield* Effect.promise(() => writeFile(keyStore, pem))
      const text = `secureClientPort=2281\nssl.keyStore.location=${keyStore}`
      const trust = `ssl.trustStore.location=${join(CERTIFICATES, "ca.pem")}\nssl.clientAuth=want`
      const plainTls = yield* tlsOf(text)
      assert.deepStrictEqual([plainTls?.cert, plainTls?.key, plainTls?.ca], [pem, pem, undefined])
      assert.deepStrictEqual([plainTls?.clientAuth, plainTls?.unified], ["need", false])
      const tls = yield* tlsOf(`${text}\n${trust}`)
      assert.deepStrictEqual([tls?.ca, tls?.clientAuth], [yield* read("ca.pem"), "want"])
      const plain = { host: "h", port: 2181 }
      const secure = { host: "h", port: 2281 }
      assert.deepStrictEqual(doorsAt(plain, secure, tls, authentication), [
        { endpoint: plain, tls: undefined, authentication },
        { endpoint: secure, tls: { ...tls!, unified: false }, authentication }
      ])
      assert.deepStrictEqual(doorsAt(undefined, undefined, undefined, authentication), [])
      const unified = yield* tlsOf(`clientPort=2181\nclient.portUnification=true\nssl.keyStore.location=${keyStore}`)
      const [door] = doorsAt(plain, undefined, unified, authentication)
      assert.deepStrictEqual([door?.tls?.unified, doorName("1", door!)], [true, "1"])
    })
  )

  it.effect("is refused without a certificate and its key", () =>
    Effect.gen(function* () {
      const refusal = (text: string) =>
        Effect.map(Effect.flip(tlsOf(`secureClientPort=2281\n${text}`)), (error) => error.message)
      assert.strictEqual(yield* refusal(""), "secureClientPort: needs ssl.keyStore.location")
      assert.include(yield* refusal("ssl.keyStore.location=/nowhere"), "ssl.keyStore.location: cannot be read: ENOENT")
      const half = join(CERTIFICATES, "server.pem")
      assert.include(yield* refusal(`ssl.keyStore.location=${half}`), "is no PEM file with a certificate and its key")
      const java = yield* refusal("ssl.keyStore.location=/keys.jks")
      assert.include(java, "JKS is Java's own form and is not read here; keytool -importkeystore")
      const keyStore = join(yield* temporary, "keystore.pem")
      const pem = (yield* read("server.pem")) + (yield* read("client.key"))
      yield* Effect.promise(() => writeFile(keyStore, pem))
      assert.include(yield* refusal(`ssl.keyStore.location=${keyStore}`), "cannot be used: ")
      const weak = `ssl.keyStore.location=${keyStore}\nssl.enabledProtocols=TLSv1.1`
      assert.include(yield* refusal(weak), "expected TLSv1.2 or TLSv1.3")
    })
  )
})
