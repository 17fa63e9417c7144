import type { Scenario } from "../play.ts"
import { acl, createBody, Mode, OPEN, Op, Perm, part, pathAndNumber, READ_ONLY, setDataBody } from "../requests.ts"

/** `alice:secret` and `bob:secret`, as the digest scheme has them. */
const ALICE = "alice:T1MdM7wiSHlPiYdAwUQwmbWTMAU="
const PERMS = [Perm.read, Perm.write, Perm.create, Perm.delete, Perm.admin]

export const acls: ReadonlyArray<Scenario> = [
  {
    name: "acl-forms",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root)
      const forms = [
        [acl(Perm.all, "world", "anyone")],
        [acl(Perm.all, "world", "nobody")],
        [acl(Perm.all, "world", "")],
        [acl(Perm.all, "world", null)],
        [acl(Perm.all, null, "anyone")],
        [acl(Perm.all, "", "anyone")],
        [acl(Perm.all, "unknown", "x")],
        [acl(Perm.all, "super", "x")],
        [acl(Perm.all, "sasl", "x")],
        [acl(Perm.all, "x509", "CN=x")],
        [acl(Perm.all, "auth", "")],
        [acl(Perm.all, "auth", "whoever")],
        [acl(Perm.all, "digest", "user:hash")],
        [acl(Perm.all, "digest", "user:")],
        [acl(Perm.all, "digest", ":hash")],
        [acl(Perm.all, "digest", "user")],
        [acl(Perm.all, "digest", "")],
        [acl(Perm.all, "digest", "a:b:c")],
        [acl(Perm.all, "digest", "a:b:")],
        [acl(Perm.all, "digest", ":")],
        [acl(Perm.all, "ip", "127.0.0.1")],
        [acl(Perm.all, "ip", "127.0.0.1/8")],
        [acl(Perm.all, "ip", "127.0.0.1/0")],
        [acl(Perm.all, "ip", "127.0.0.1/32")],
        [acl(Perm.all, "ip", "127.0.0.1/33")],
        [acl(Perm.all, "ip", "127.0.0.1/-1")],
        [acl(Perm.all, "ip", "127.0.0.1/x")],
        [acl(Perm.all, "ip", "127.0.0.1/")],
        [acl(Perm.all, "ip", "127.0.0.1/8/8")],
        [acl(Perm.all, "ip", "127.0.0")],
        [acl(Perm.all, "ip", "127.0.0.256")],
        [acl(Perm.all, "ip", "127.0.0.01")],
        [acl(Perm.all, "ip", "127.0.0.")],
        [acl(Perm.all, "ip", "localhost")],
        [acl(Perm.all, "ip", "")],
        [acl(Perm.all, "ip", "::1")],
        [acl(Perm.all, "ip", "fe80::/10")],
        [acl(Perm.all, "ip", "fe80::/129")],
        [acl(0, "world", "anyone")],
        [acl(32, "world", "anyone")],
        [acl(-1, "world", "anyone")],
        [acl(Perm.read, "world", "anyone"), acl(Perm.read, "world", "anyone")],
        [acl(Perm.read, "world", "anyone"), acl(Perm.all, "world", "anyone")],
        [acl(Perm.read, "world", "anyone"), acl(Perm.all, "unknown", "x")],
        [],
        null
      ]
      for (const [i, form] of forms.entries()) {
        await a.create(`${root}/${i}`, { acl: form })
        await a.about(Op.getACL, `${root}/${i}`)
      }
      await a.create(`${root}/set`)
      for (const form of forms) await a.setAcl(`${root}/set`, form)
    }
  },
  {
    name: "acl-checks",
    play: async (stage) => {
      const { root } = stage
      const alice = await stage.client("alice")
      const b = await stage.client("b")
      await alice.auth("digest", "alice:secret")
      await alice.create(root)
      for (const perm of PERMS) {
        const path = `${root}/${perm}`
        await alice.create(path, { data: "value" })
        await alice.create(`${path}/child`)
        await alice.setAcl(path, [acl(perm, "world", "anyone"), acl(Perm.all, "auth", "")])
        await b.get(path, true)
        await b.exists(path, true)
        await b.children(path, true)
        await b.children2(path)
        await b.about(Op.getACL, path)
        await b.about(Op.getAllChildrenNumber, path)
        await b.set(path, "other")
        await b.set(path, "other", 7)
        await b.create(`${path}/another`)
        await b.create(`${path}/child`)
        await b.create(`${path}/another/below`)
        await b.delete(`${path}/child`, 7)
        await b.delete(`${path}/child`)
        await b.delete(`${path}/missing`)
        await b.delete(path)
        await b.multi("check", [part(Op.check, pathAndNumber(path, -1))])
        await b.multi(
          "reads",
          [part(Op.getData, (w) => w.text(path).bool(false)), part(Op.getChildren, (w) => w.text(path).bool(false))],
          Op.multiRead
        )
        await b.setAcl(path, OPEN)
        await b.about(Op.sync, path)
        await alice.about(Op.getACL, path)
        await alice.get(path)
        await b.watches(Op.removeWatches, path, 3)
      }
    }
  },
  {
    name: "acl-set",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      const b = await stage.client("b")
      await a.auth("digest", "alice:secret")
      await a.create(root, { data: "x" })
      await b.get(root, true)
      await b.children(root, true)
      await a.setAcl(root, OPEN, 5)
      await a.setAcl(root, READ_ONLY, 0)
      await a.setAcl(root, OPEN, 1)
      await a.about(Op.getACL, root)
      await a.create(`${root}/mine`, { acl: [acl(Perm.all, "auth", "")] })
      await a.setAcl(`${root}/mine`, [acl(Perm.all, "digest", ALICE)], 0)
      await a.setAcl(`${root}/mine`, [acl(Perm.all, "digest", ALICE)], 0)
      await a.setAcl(`${root}/mine`, [acl(Perm.all, "digest", ALICE)], 1)
      await a.setAcl(`${root}/missing`, OPEN)
      await a.setAcl(`${root}/missing`, [])
      for (const path of [null, "", "/bad//path", "relative", "/bad/"]) await a.setAcl(path, OPEN)
      await a.about(Op.getACL, `${root}/mine`)
      await b.about(Op.getACL, `${root}/mine`)
      await a.setAcl(`${root}/mine`, [
        acl(Perm.read, "world", "anyone"),
        acl(Perm.all, "digest", ALICE),
        acl(Perm.all, "digest", "no-colon:"),
        acl(Perm.all, "ip", "10.0.0.1")
      ])
      await a.setAcl(`${root}/mine`, [
        acl(Perm.read, "world", "anyone"),
        acl(Perm.all, "digest", ALICE),
        acl(Perm.all, "ip", "10.0.0.1")
      ])
      await b.about(Op.getACL, `${root}/mine`)
      await b.get(`${root}/mine`)
      await a.setAcl(`${root}/mine`, [acl(Perm.admin, "world", "anyone"), acl(Perm.read, "digest", ALICE)])
      await b.about(Op.getACL, `${root}/mine`)
      await b.get(`${root}/mine`)
      await a.exists(root)
      await a.setAcl("/", [acl(Perm.all, "auth", "")])
      await b.create("/of-a-stranger")
      await b.exists("/")
      await a.setAcl("/", OPEN)
      await b.about(Op.getACL, "/")
    }
  },
  {
    name: "acl-of-many",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      const b = await stage.client("b")
      await a.auth("digest", "alice:secret")
      await a.auth("digest", "carol:secret")
      await a.create(root, { acl: [acl(Perm.all, "auth", "")] })
      await a.about(Op.getACL, root)
      for (let i = 0; i < 3; i++) await a.create(`${root}/${i}`, { acl: [acl(Perm.all, "auth", "")] })
      await b.get(root)
      await b.auth("digest", "carol:secret")
      await b.get(root)
      await b.delete(`${root}/0`)
      await b.setAcl(`${root}/1`, READ_ONLY)
      await a.about(Op.getACL, `${root}/2`)
      await a.get(`${root}/1`)
      await a.set(`${root}/1`, "x")
      await b.multi("of parts that are not all allowed", [
        part(Op.setData, setDataBody(`${root}/2`, "x", -1)),
        part(Op.setData, setDataBody(`${root}/1`, "x", -1)),
        part(Op.create, createBody(`${root}/1/x`, "", OPEN, Mode.persistent))
      ])
      await b.get(`${root}/2`)
    }
  },
  {
    name: "acl-ip",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      const b = await stage.client("b")
      await a.create(root)
      for (const [i, id] of [
        "127.0.0.1",
        "127.0.0.0/8",
        "127.0.0.2/31",
        "127.0.0.2",
        "10.0.0.0/8",
        "0.0.0.0/0",
        "::1"
      ].entries()) {
        await a.create(`${root}/${i}`, { acl: [acl(Perm.all, "ip", id)] })
        await b.get(`${root}/${i}`)
        await b.set(`${root}/${i}`, "x")
        await b.about(Op.getACL, `${root}/${i}`)
      }
    }
  },
  {
    name: "acl-watches",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      const b = await stage.client("b")
      const mine = [acl(Perm.all, "auth", "")]
      await a.auth("digest", "alice:secret")
      await a.create(root)
      for (const name of ["changed", "deleted", "parent"]) await a.create(`${root}/${name}`, { data: "open" })
      await b.get(`${root}/changed`, true)
      await b.exists(`${root}/deleted`, true)
      await b.children(`${root}/deleted`, true)
      await b.children(`${root}/parent`, true)
      await b.exists(`${root}/born`, true)
      await b.watches(Op.addWatch, root, 1)
      await b.watches(Op.addWatch, `${root}/parent`, 0)
      for (const name of ["changed", "deleted", "parent"]) await a.setAcl(`${root}/${name}`, mine)
      await a.set(`${root}/changed`, "secret")
      await a.delete(`${root}/deleted`)
      await a.create(`${root}/parent/child`)
      await a.create(`${root}/born`, { acl: mine })
      await a.delete(`${root}/parent/child`)
      await a.setAcl(`${root}/changed`, OPEN)
      await a.set(`${root}/changed`, "open again")
      await b.watches(Op.checkWatches, `${root}/changed`, 2)
      await b.watches(Op.checkWatches, `${root}/parent`, 1)
      await b.auth("digest", "alice:secret")
      await a.set(`${root}/born`, "seen")
      await a.create(`${root}/parent/child`)
      await b.setWatches("of what it may not read", 0, { data: [`${root}/born`], child: [`${root}/parent`] })
    }
  }
]
