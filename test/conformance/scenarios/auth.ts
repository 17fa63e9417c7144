import type { Scenario } from "../play.ts"
import { acl, OPEN, Op, Perm } from "../requests.ts"

/** Who proves what. */
const PROOFS: ReadonlyArray<readonly [string, string | null, string | Buffer | null]> = [
  ["digest", "digest", "alice:secret"],
  ["no-password", "digest", "alice:"],
  ["no-colon", "digest", "alice"],
  ["two-colons", "digest", "alice:secret:more"],
  ["empty", "digest", ""],
  ["only-colon", "digest", ":"],
  ["no-name", "digest", ":secret"],
  ["bytes", "digest", Buffer.of(0xff, 0x3a, 0xfe)],
  ["umlaut", "digest", "\u00e4:\u00f6"],
  ["super", "digest", "super:admin"],
  ["not-super", "digest", "super:wrong"],
  ["ip", "ip", "10.0.0.1"],
  ["ip-null", "ip", null]
]

const REFUSED: ReadonlyArray<readonly [string, string | null, string | Buffer | null]> = [
  ["null-proof", "digest", null],
  ["world", "world", "anyone"],
  ["auth", "auth", "x"],
  ["unknown", "unknown", "x"],
  ["empty-scheme", "", "x"],
  ["null-scheme", null, "x"],
  ["super-scheme", "super", "x"]
]

export const auths: ReadonlyArray<Scenario> = [
  {
    name: "auth",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root)
      for (const [name, scheme, proof] of PROOFS) {
        const client = await stage.client(name)
        await client.auth(scheme, proof)
        await client.whoAmI()
        await client.create(`${root}/${name}`, { acl: [acl(Perm.all, "auth", "")] })
        await client.about(Op.getACL, `${root}/${name}`)
      }
      for (const [name, scheme, proof] of REFUSED) {
        const client = await stage.client(name)
        await client.authLast(scheme, proof)
      }
      await a.children(root)
    }
  },
  {
    name: "auth-again",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.whoAmI()
      await a.auth("digest", "alice:secret")
      await a.auth("digest", "alice:secret")
      await a.auth("digest", "alice:other")
      await a.auth("digest", "bob:secret")
      await a.auth("ip", "127.0.0.1")
      await a.whoAmI()
      await a.create(root, { acl: [acl(Perm.all, "auth", "")] })
      await a.about(Op.getACL, root)
      await a.ask("auth by another xid", Op.auth, (w) => w.int(7).text("digest").text("dave:secret"), 77)
      await a.whoAmI()
      await a.raw(
        "an auth packet that is cut off",
        Buffer.from("0000000efffffffc000000640000000000ff", "hex"),
        -4,
        Op.auth
      )
      await a.whoAmI()
    }
  },
  {
    name: "super",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      const b = await stage.client("b")
      const boss = await stage.client("boss")
      await a.auth("digest", "alice:secret")
      await a.create(root, { acl: [acl(Perm.read, "auth", "")] })
      await a.set(root, "x")
      await boss.get(root)
      await boss.auth("digest", "super:admin")
      await boss.whoAmI()
      await boss.get(root)
      await boss.set(root, "of the boss")
      await boss.about(Op.getACL, root)
      await boss.create(`${root}/child`, { acl: [acl(Perm.all, "auth", "")] })
      await boss.about(Op.getACL, `${root}/child`)
      await boss.setAcl(root, OPEN)
      await b.about(Op.getACL, root)
      await boss.delete(`${root}/child`)
      await boss.delete("/zookeeper/config")
      await boss.delete("/zookeeper/quota")
      await boss.delete("/zookeeper")
      await boss.delete("/")
    }
  }
]
