import { createPrivateKey, X509Certificate } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { createSecureContext } from "node:tls"
import { assert, describe, it } from "vitest"
import { anchors, identities, type KeyStore, KeyStoreError, readKeyStore } from "../src/index.ts"

/** Made by stores/make.sh: keytool's and openssl's own. */
const bytes = (name: string): Uint8Array => new Uint8Array(readFileSync(join(import.meta.dirname, "stores", name)))
const store = (name: string, password = "changeit"): Promise<KeyStore> => readKeyStore(bytes(name), password)
const subject = (der: Uint8Array): string => new X509Certificate(der).subject

const refusal = async (name: string, password?: string): Promise<KeyStoreError> => {
  const error: unknown = await store(name, password).then(
    () => assert.fail(`${name} was read`),
    (reason: unknown) => reason
  )
  assert.instanceOf(error, KeyStoreError)
  return error as KeyStoreError
}

const trustedIn = ({ trusted }: KeyStore): ReadonlyArray<string> => trusted.map(subject)

describe("a key store", () => {
  for (const name of ["server.jks", "default.p12", "legacy.p12", "misnamed.jks"]) {
    it(`gives its keys with their chains, and what it trusts (${name})`, async () => {
      const read = await store(name)
      const entries = [...read.keys].sort((a, b) => (a.alias < b.alias ? -1 : 1))
      assert.deepStrictEqual(
        entries.map(({ alias, chain }) => [alias, ...chain.map(subject)]),
        [
          ["ec", "CN=elliptic"],
          ["rsa", "CN=server", "CN=authority"]
        ]
      )
      for (const { key, chain } of entries) {
        const own = createPrivateKey({ key: Buffer.from(key), format: "der", type: "pkcs8" })
        assert.isTrue(new X509Certificate(chain[0]!).checkPrivateKey(own))
      }
      const [, { chain }] = entries as [unknown, { chain: ReadonlyArray<Uint8Array> }]
      assert.isTrue(new X509Certificate(chain[0]!).verify(new X509Certificate(chain[1]!).publicKey))
      assert.deepStrictEqual(trustedIn(read), ["CN=authority"])
    })
  }

  it("is what OpenSSL takes, a key of each kind", async () => {
    const { cert, key } = identities(await store("default.p12"))
    assert.lengthOf(key, 2)
    createSecureContext({ cert: [...cert], key: [...key], ca: anchors(await store("trust.p12")) })
  })

  it("says when its password is wrong", async () => {
    for (const name of ["server.jks", "default.p12", "legacy.p12", "trust.jks", "trust.p12"]) {
      for (const wrong of ["", "changeme"]) assert.isTrue((await refusal(name, wrong)).isPassword, `${name} ${wrong}`)
    }
    const { message, isPassword } = await refusal("other.jks")
    assert.deepStrictEqual([message, isPassword], ["the key ec has another password than the store", true])
  })

  it("says when it is something else, or not whole", async () => {
    assert.include((await refusal("jceks.jks")).message, "JCEKS")
    assert.include((await refusal("make.sh")).message, "neither JKS nor PKCS #12")
    for (const name of ["server.jks", "default.p12"]) {
      const whole = bytes(name)
      const cut = whole.subarray(0, whole.length - 100)
      const bent = whole.slice()
      bent[1000]! ^= 1
      for (const damaged of [cut, bent]) {
        await readKeyStore(damaged, "changeit").then(
          () => assert.fail(`a damaged ${name} was read`),
          (error: unknown) => assert.instanceOf(error, KeyStoreError)
        )
      }
    }
  })
})

describe("a trust store", () => {
  it("gives whom it trusts, whoever has made it", async () => {
    for (const name of ["trust.jks", "trust.p12", "openssl-trust.p12"]) {
      assert.deepStrictEqual(trustedIn(await store(name)), ["CN=authority"], name)
    }
    assert.deepStrictEqual(trustedIn(await store("open.p12", "")), ["CN=authority"])
  })

  it("trusts the own certificate of a key in it, as Java does, and not whoever signed it", async () => {
    const { keys } = await store("default.p12")
    const text = anchors({ keys, trusted: [] })
    const subjects = text
      .match(/-----BEGIN[\s\S]*?-----END CERTIFICATE-----/g)!
      .map((one) => new X509Certificate(one).subject)
    assert.deepStrictEqual(subjects.sort(), ["CN=elliptic", "CN=server"])
  })
})
