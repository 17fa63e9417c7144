import { type Acl, ErrorCode, OpCode, Perms, readAcls } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { fixAcl, isAllowed } from "../src/acl.ts"
import { ipMatches } from "../src/ip.ts"
import { IP, World } from "./world.ts"

const acl = (scheme: string, id: string, perms: number = Perms.ALL): Acl => ({ perms, id: { scheme, id } })
const ALICE = { scheme: "digest", id: "alice:hash" }

describe("who may (§10.2)", () => {
  it("is everyone of an empty list, and super of any", () => {
    assert.isTrue(isAllowed([], Perms.WRITE, IP))
    assert.isTrue(isAllowed([acl("digest", "x:y")], Perms.WRITE, [{ scheme: "super", id: "" }]))
  })
  it("is who is named with any bit of what is wanted", () => {
    const list = [acl("world", "anyone", Perms.READ), acl("digest", "alice:hash", Perms.WRITE | Perms.ADMIN)]
    assert.isTrue(isAllowed(list, Perms.READ, IP))
    assert.isFalse(isAllowed(list, Perms.WRITE, IP))
    assert.isTrue(isAllowed(list, Perms.WRITE, [...IP, ALICE]))
    assert.isTrue(isAllowed(list, Perms.ADMIN | Perms.CREATE, [...IP, ALICE]))
    assert.isFalse(isAllowed(list, Perms.CREATE, [...IP, ALICE]))
    assert.isFalse(isAllowed(list, Perms.WRITE, [{ scheme: "sasl", id: "alice:hash" }]), "only within a scheme")
  })
  it("compares addresses by prefix, within a family", () => {
    assert.isTrue(ipMatches("10.1.2.3", "10.1.2.3"))
    assert.isTrue(ipMatches("10.1.2.3", "10.1.0.0/16"))
    assert.isFalse(ipMatches("10.2.2.3", "10.1.0.0/16"))
    assert.isTrue(ipMatches("10.1.2.131", "10.1.2.128/25"))
    assert.isFalse(ipMatches("10.1.2.127", "10.1.2.128/25"))
    assert.isTrue(ipMatches("1.2.3.4", "9.9.9.9/0"))
    assert.isTrue(ipMatches("2001:db8::1", "2001:db8::/32"))
    assert.isFalse(ipMatches("2001:db9::1", "2001:db8::/32"))
    assert.isFalse(ipMatches("10.1.2.3", "::/0"))
    assert.isTrue(ipMatches("::ffff:10.1.2.3", "10.1.0.0/16"), "mapped addresses are IPv4 addresses")
    assert.isFalse(ipMatches("nonsense", "10.1.0.0/16"))
  })
})

describe("which lists may be stored (§10.3)", () => {
  const isValid = (scheme: string, id: string): boolean => typeof fixAcl([acl(scheme, id)], IP) !== "number"
  it("knows the ids of each scheme", () => {
    for (const [scheme, id, expected] of [
      ["world", "anyone", true],
      ["world", "somebody", false],
      ["ip", "1.2.3.4", true],
      ["ip", "1.2.3.0/24", true],
      ["ip", "1.2.3.0/33", false],
      ["ip", "fe80::/10", true],
      ["ip", "host", false],
      ["digest", "u:h", true],
      ["digest", "u:", false],
      ["digest", "a:b:c", false],
      ["digest", ":b", true],
      ["sasl", "user@REALM", true],
      ["sasl", "user", true],
      ["x509", "CN=me", true],
      ["x509", "me", false],
      ["super", "", false],
      ["nobody", "x", false]
    ] as const) {
      assert.equal(isValid(scheme, id), expected, `${scheme}:${id}`)
    }
  })
  it("replaces auth by who is there, and drops duplicates", () => {
    const identity = [...IP, ALICE, { scheme: "super", id: "" }]
    assert.deepEqual(fixAcl([acl("auth", "whatever", 5), acl("digest", "alice:hash", 5)], identity), [
      { perms: 5, id: ALICE }
    ])
    assert.equal(fixAcl([acl("auth", "")], IP), ErrorCode.INVALIDACL, "an address is nobody")
  })
})

describe("getACL (§10.4)", () => {
  const read = (client: ReturnType<World["client"]>, path: string) => client.read(OpCode.getACL, (w) => w.ustring(path))
  it("hides the hashes of digests from who has no ADMIN", () => {
    const client = new World().client()
    const list = [acl("world", "anyone", Perms.READ), acl("digest", "alice:hash", Perms.ADMIN)]
    client.createOk("/a", { acl: list })
    const masked = [acl("world", "anyone", Perms.READ), acl("digest", "alice:x", Perms.ADMIN)]
    assert.deepEqual(readAcls(read(client, "/a").body), masked)
    client.identity = [ALICE]
    assert.deepEqual(readAcls(read(client, "/a").body), list)
  })
  it("asks for READ or ADMIN", () => {
    const client = new World().client()
    client.createOk("/a", { acl: [acl("digest", "alice:hash", Perms.WRITE)] })
    assert.equal(read(client, "/a").err, ErrorCode.NOAUTH)
    assert.equal(read(client, "/none").err, ErrorCode.NONODE)
  })
})

it("keeps each list once, as long as it is used", () => {
  const world = new World()
  const client = world.client()
  const before = world.tree.acls.size
  for (let i = 0; i < 10; i++) client.createOk(`/n${i}`, { acl: [acl("digest", "a:b")] })
  assert.equal(world.tree.acls.size, before + 1)
  client.identity = [{ scheme: "super", id: "" }]
  for (let i = 0; i < 9; i++) client.delete(`/n${i}`)
  client.setAcl("/n9", [acl("digest", "c:d")])
  assert.equal(world.tree.acls.size, before + 1)
  client.delete("/n9")
  assert.equal(world.tree.acls.size, before)
})

it("asks nobody for permission where ACLs are skipped", () => {
  const world = new World()
  const client = world.client()
  const list = [acl("digest", "alice:hash")]
  client.createOk("/a", { acl: list })
  assert.equal(client.read(OpCode.getACL, (w) => w.ustring("/a")).err, ErrorCode.NOAUTH)
  world.tree.skipAcl = true
  assert.deepEqual(readAcls(client.read(OpCode.getACL, (w) => w.ustring("/a")).body), list, "nothing is hidden either")
  client.createOk("/a/child")
  assert.equal(client.delete("/a/child"), 0)
  assert.equal(client.setAcl("/a", [acl("nobody", "knows")]).err, ErrorCode.INVALIDACL, "what is no ACL is still none")
})

it("knows no scheme that is not there", () => {
  const client = new World({ absentSchemes: ["sasl"] }).client()
  assert.equal(client.create("/a", { acl: [acl("sasl", "alice")] }), ErrorCode.INVALIDACL)
  assert.equal(client.create("/a", { acl: [acl("x509", "CN=alice")] }), 0)
})

it("tells an id that is null from a scheme that is", () => {
  const client = new World().client()
  const listOf = (scheme: string | null, id: string | null) => ({ acl: [{ perms: Perms.ALL, id: { scheme, id } }] })
  assert.equal(client.create("/a", listOf("digest", null)), ErrorCode.MARSHALLINGERROR)
  assert.equal(client.create("/a", listOf("unheard of", null)), ErrorCode.INVALIDACL)
  assert.equal(client.create("/a", listOf(null, "anyone")), ErrorCode.INVALIDACL)
})
