import { assert, describe, it } from "vitest"
import { digest } from "../src/digest.ts"
import { DigestClient, DigestServer, parseDirectives, SaslError } from "../src/index.ts"

const server = (nonce = "n0nce") =>
  new DigestServer({
    service: "zookeeper",
    host: "zk-sasl-md5",
    realm: "zk-sasl-md5",
    nonce,
    passwordOf: (user) =>
      new Map([
        ["bob", "secret"],
        ["jörg", 'p\u00e4ss"wo\\rd'],
        ["丁", "秘密"]
      ]).get(user)
  })
const client = (username = "bob", password = "secret") =>
  new DigestClient({ username, password, service: "zookeeper", host: "zk-sasl-md5", cnonce: "cn0nce" })
const text = (token: Uint8Array | undefined): string => Buffer.from(token ?? []).toString("utf8")
const bytes = (token: string): Uint8Array => Buffer.from(token, "utf8")

/** Both ends of an exchange. */
const exchange = (user: string, password: string) => {
  const [there, here] = [server(), client(user, password)]
  const challenge = there.step(here.begin())
  const proved = there.step(here.step(challenge.token)!)
  return { proved, last: here.step(proved.token) }
}

describe("DIGEST-MD5", () => {
  it("hashes as RFC 2831's own example does", () => {
    const secrets = {
      username: "chris",
      realm: "elwood.innosoft.com",
      password: "secret",
      nonce: "OA6MG9tEQGm2hh",
      cnonce: "OA6MHXh6VqTrRk",
      nc: "00000001",
      digestUri: "imap/elwood.innosoft.com",
      authzid: undefined
    }
    assert.strictEqual(digest(secrets, "client"), "d388dad90d4bbd760a152321f2143af7")
    assert.strictEqual(digest(secrets, "server"), "ea40f60335c427b5527b84dbabcdfffd")
  })

  it("proves either end to the other", () => {
    for (const [user, password] of [
      ["bob", "secret"],
      ["jörg", 'p\u00e4ss"wo\\rd'],
      ["丁", "秘密"]
    ] as const) {
      const { proved, last } = exchange(user, password)
      assert.deepInclude(proved, { _tag: "Proved", user })
      assert.isUndefined(last)
    }
  })

  it("tells no one from whom it does not know", () => {
    for (const [user, password] of [
      ["bob", "Secret"],
      ["bob", ""],
      ["eve", "secret"],
      ["eve", ""]
    ] as const) {
      assert.throws(() => exchange(user, password), SaslError, "a wrong name or password")
    }
  })

  it("believes no server that does not know the password", () => {
    const here = client()
    here.step(server().step(here.begin()).token)
    assert.throws(() => here.step(bytes("rspauth=00000000000000000000000000000000")), SaslError)
    assert.throws(() => client().step(bytes('nonce="x",algorithm=md5')), SaslError)
    assert.throws(() => client().step(bytes("algorithm=md5-sess")), SaslError)
    assert.throws(() => client().step(bytes('nonce="x",qop="auth-conf",algorithm=md5-sess')), SaslError)
  })

  it("refuses an answer to somebody, or something, else", () => {
    const answered = (change: (answer: string) => string): void => {
      const [there, here] = [server(), client()]
      there.step(bytes(change(text(here.step(there.step(here.begin()).token)))))
    }
    answered((answer) => answer)
    const changes: ReadonlyArray<readonly [RegExp | string, string]> = [
      ["n0nce", "older"],
      ["nc=00000001", "nc=00000002"],
      ["qop=auth", "qop=auth-conf"],
      ["zookeeper/zk-sasl-md5", "imap/zk-sasl-md5"],
      ["zookeeper/zk-sasl-md5", "zookeeper/other"],
      [/realm="[^"]*"/, 'realm="other"'],
      [/username="[^"]*",/, ""],
      ["charset=utf-8", 'charset=utf-8,username="bob"'],
      [/response=\w+/, "response=abc"],
      // As many characters, but not as many bytes.
      [/response=\w/, "response=é"],
      ["charset=utf-8", "charset=latin"]
    ]
    for (const [from, to] of changes) assert.throws(() => answered((answer) => answer.replace(from, to)), SaslError)
  })

  it("goes one way only", () => {
    assert.throws(() => server().step(bytes('username="bob"')), SaslError, "before the challenge")
    const there = server()
    there.step(new Uint8Array(0))
    assert.throws(() => there.step(new Uint8Array(0)), SaslError, "username is missing")
    assert.throws(() => there.step(new Uint8Array(0)), SaslError, "is over")
  })
})

describe("directives", () => {
  it("are read with quotes, escapes and blanks", () => {
    const token = bytes(' a = "x, \\"y\\\\" , b=z,,realm="1",realm="2",C=')
    assert.deepStrictEqual(
      [...parseDirectives(token)],
      [
        ["a", 'x, "y\\'],
        ["b", "z"],
        ["realm", "1"],
        ["c", ""]
      ]
    )
  })

  it("are refused where they are none", () => {
    for (const token of ["a", "a=b c", 'a="b', '="x"', "a=1,a=2", `a="${"x".repeat(5000)}"`]) {
      assert.throws(() => parseDirectives(bytes(token)), SaslError)
    }
  })
})
