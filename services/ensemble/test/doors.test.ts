import { X509Certificate } from "node:crypto"
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { readConfig } from "@zkmesh/config"
import { DEFAULT_AUTHENTICATION } from "@zkmesh/service-frontend"
import { Effect } from "effect"
import { doorName, doorsAt } from "../src/doors.ts"
import { readAdminTls, readTls } from "../src/tls/certificates.ts"

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
      const bouncy = "BCFKS is a form of Bouncy Castle's and is not read here; keytool -importkeystore"
      assert.include(yield* refusal("ssl.keyStore.location=/keys.bcfks"), bouncy)
      assert.include(yield* refusal("ssl.keyStore.location=/keys\nssl.keyStore.type=bcfks"), bouncy)
      assert.include(
        yield* refusal("ssl.keyStore.location=/keys\nssl.keyStore.type=DER"),
        "expected JKS, PKCS12 or PEM"
      )
      const keyStore = join(yield* temporary, "keystore.pem")
      const pem = (yield* read("server.pem")) + (yield* read("client.key"))
      yield* Effect.promise(() => writeFile(keyStore, pem))
      assert.include(yield* refusal(`ssl.keyStore.location=${keyStore}`), "cannot be used: ")
      const weak = `ssl.keyStore.location=${keyStore}\nssl.enabledProtocols=TLSv1.1`
      assert.include(yield* refusal(weak), "expected TLSv1.2 or TLSv1.3")
    })
  )
})

const STORES = join(import.meta.dirname, "../../../libs/keystore/test/stores")
const subjects = (texts: string | ReadonlyArray<string> | undefined): ReadonlyArray<string> =>
  [texts ?? []].flat().map((text) => new X509Certificate(text).subject)

describe("Java's stores", () => {
  it.effect("are read by what they are called or said to be, JKS and PKCS #12 alike", () =>
    Effect.gen(function* () {
      const named = (name: string) => join(STORES, name)
      const unnamed = join(yield* temporary, "keys")
      yield* Effect.promise(() => copyFile(named("legacy.p12"), unnamed))
      const passwords = "ssl.keyStore.password=changeit\nssl.trustStore.password=changeit"
      for (const [keys, trust] of [
        [named("server.jks"), named("trust.jks")],
        [named("default.p12"), named("trust.p12")],
        [named("misnamed.jks"), named("openssl-trust.p12")],
        [`${unnamed}\nssl.keyStore.type=pkcs12`, named("trust.jks")]
      ]) {
        const stores = `ssl.keyStore.location=${keys}\nssl.trustStore.location=${trust}\n${passwords}`
        const tls = yield* tlsOf(`secureClientPort=2281\n${stores}`)
        assert.deepStrictEqual([...subjects(tls?.cert)].sort(), ["CN=elliptic", "CN=server"], keys)
        assert.deepStrictEqual(subjects(tls?.ca), ["CN=authority"])
      }
    })
  )

  it.effect("have their passwords in files of their own, which are stronger", () =>
    Effect.gen(function* () {
      const file = join(yield* temporary, "password")
      yield* Effect.promise(() => writeFile(file, "changeit\n"))
      const text = [
        "secureClientPort=2281",
        `ssl.keyStore.location=${join(STORES, "server.jks")}`,
        `ssl.trustStore.location=${join(STORES, "trust.jks")}`,
        "ssl.keyStore.password=wrong",
        "ssl.trustStore.password=wrong",
        `ssl.keyStore.passwordPath=${file}`
      ].join("\n")
      const { message } = yield* Effect.flip(tlsOf(text))
      assert.match(message, /^ssl\.trustStore\.location: .*trust\.jks: the password is wrong, or the file is damaged$/)
      const tls = yield* tlsOf(`${text}\nssl.trustStore.passwordPath=${file}`)
      assert.deepStrictEqual(subjects(tls?.ca), ["CN=authority"])
    })
  )

  it.effect("are refused without what they are for", () =>
    Effect.gen(function* () {
      const text = `secureClientPort=2281\nssl.keyStore.location=${join(STORES, "trust.jks")}\nssl.keyStore.password=changeit`
      assert.include((yield* Effect.flip(tlsOf(text))).message, "trust.jks holds no key with its certificate")
    })
  )
})

describe("what a certificate has to prove", () => {
  const PEM = `secureClientPort=2281\nssl.keyStore.location=${join(STORES, "server.jks")}\nssl.keyStore.password=changeit`

  it.effect("may be its client's address", () =>
    Effect.gen(function* () {
      const verified = (text: string) => Effect.map(tlsOf(`${PEM}\n${text}`), (tls) => tls?.verifyHost)
      assert.isUndefined(yield* verified("ssl.hostnameVerification=true"))
      assert.deepStrictEqual(yield* verified("ssl.clientHostnameVerification=true"), { reverseDns: false })
      assert.isUndefined(yield* verified("ssl.clientHostnameVerification=true\nssl.hostnameVerification=false"))
      assert.deepStrictEqual(yield* verified("ssl.clientHostnameVerification=true\nssl.allowReverseDnsLookup=true"), {
        reverseDns: true
      })
    })
  )

  it.effect("is not silently less than was asked for", () =>
    Effect.gen(function* () {
      const refusal = (text: string) => Effect.map(Effect.flip(tlsOf(`${PEM}\n${text}`)), ({ message }) => message)
      assert.include(yield* refusal("ssl.crl=true"), "ssl.crl: needs ssl.crlFile")
      assert.include(yield* refusal("ssl.ocsp=true"), "ssl.ocsp: nobody is asked")
      assert.include(yield* refusal("ssl.authProvider=custom"), "ssl.authProvider: expected")
    })
  )
})

describe("HTTPS for operators", () => {
  const adminOf = (text: string) => Effect.flatMap(readConfig({ file: { name: "zoo.cfg", text } }), readAdminTls)
  const quorum = `ssl.quorum.keyStore.location=${join(STORES, "server.jks")}\nssl.quorum.keyStore.password=changeit`
  const client = `ssl.keyStore.location=${join(STORES, "default.p12")}\nssl.keyStore.password=changeit`

  it.effect("is off unless it is asked for, and has the stores of ssl.quorum, or else those for clients", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* adminOf(quorum))
      const unified = yield* adminOf(`admin.portUnification=true\n${quorum}\nssl.keyStore.location=/nowhere`)
      assert.deepStrictEqual([unified?.unified, unified?.clientAuth], [true, "none"])
      const forced = yield* adminOf(`admin.forceHttps=true\n${client}`)
      assert.deepStrictEqual([forced?.unified, forced?.source], [false, undefined])
      assert.include(subjects(forced?.cert), "CN=server")
      const reloaded = yield* adminOf(`admin.forceHttps=true\nsslQuorumReloadCertFiles=true\n${quorum}`)
      assert.isDefined(reloaded?.source)
    })
  )

  it.effect("is refused without certificates", () =>
    Effect.gen(function* () {
      const refusal = (text: string) => Effect.map(Effect.flip(adminOf(text)), ({ message }) => message)
      assert.include(yield* refusal("admin.forceHttps=true"), "admin.forceHttps: needs ssl.quorum.keyStore.location")
      assert.include(
        yield* refusal(`admin.portUnification=true\nadmin.needClientAuth=true\n${quorum}`),
        "admin.needClientAuth: needs ssl.quorum.trustStore.location"
      )
    })
  )
})
