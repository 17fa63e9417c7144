import type { Client } from "../client.ts"
import type { Scenario } from "../play.ts"
import {
  type Acl,
  acl,
  createBody,
  Mode,
  OPEN,
  Op,
  type Part,
  Perm,
  part,
  pathAndNumber,
  pathAndWatch,
  setAclBody,
  setDataBody
} from "../requests.ts"
import { UNDECODABLE } from "./frames.ts"

const create = (
  path: string,
  mode: number = Mode.persistent,
  op: number = Op.create,
  list: ReadonlyArray<Acl> | null = OPEN
): Part => part(op, createBody(path, "m", list, mode, op === Op.createTTL ? 3_600_000n : undefined))
const remove = (path: string, version = -1): Part => part(Op.delete, pathAndNumber(path, version))
const set = (path: string, version = -1): Part => part(Op.setData, setDataBody(path, "set", version))
const check = (path: string, version = -1): Part => part(Op.check, pathAndNumber(path, version))
const getData = (path: string, watch = false): Part => part(Op.getData, pathAndWatch(path, watch))
const getChildren = (path: string, watch = false): Part => part(Op.getChildren, pathAndWatch(path, watch))

/** Every way in which a part fails. */
const failures = (root: string): ReadonlyArray<readonly [string, Part]> => [
  ["create that is there", create(`${root}/there`)],
  ["create without parent", create(`${root}/missing/x`)],
  ["create with a bad path", create(`${root}//x`)],
  ["create without ACL", create(`${root}/x`, 0, Op.create, [])],
  ["create below an ephemeral", create(`${root}/ephemeral/x`)],
  ["create where that is not allowed", create(`${root}/closed/x`)],
  ["create2 that is there", create(`${root}/there`, 0, Op.create2)],
  ["createContainer that is there", create(`${root}/there`, Mode.container, Op.createContainer)],
  ["createTTL that is there", create(`${root}/there`, Mode.ttl, Op.createTTL)],
  ["delete of nothing", remove(`${root}/missing`)],
  ["delete of another version", remove(`${root}/there`, 9)],
  ["delete of a parent", remove(root)],
  ["delete where that is not allowed", remove(`${root}/closed/child`)],
  ["delete of the root", remove("/")],
  ["setData of nothing", set(`${root}/missing`)],
  ["setData of another version", set(`${root}/there`, 9)],
  ["setData where that is not allowed", set(`${root}/closed`)],
  ["setData of a bad path", set("bad")],
  ["check of nothing", check(`${root}/missing`)],
  ["check of another version", check(`${root}/there`, 9)],
  ["check where that is not allowed", check(`${root}/closed`)],
  ["check of a bad path", check("")]
]

const prepare = async (owner: Client, root: string): Promise<void> => {
  await owner.auth("digest", "alice:secret")
  await owner.create(root)
  await owner.create(`${root}/there`, { data: "there" })
  await owner.create(`${root}/ephemeral`, { mode: Mode.ephemeral })
  await owner.create(`${root}/closed`, { acl: [acl(Perm.all, "auth", "")] })
  await owner.create(`${root}/closed/child`)
}

export const multis: ReadonlyArray<Scenario> = [
  {
    name: "multi",
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      const b = await stage.client("b")
      await a.create(root)
      await b.watches(Op.addWatch, root, 1)
      await b.children(root, true)
      await a.multi("nothing", [])
      await a.multi("every kind of write", [
        create(`${root}/p`),
        create(`${root}/p2`, 0, Op.create2),
        create(`${root}/e`, Mode.ephemeral),
        create(`${root}/s-`, Mode.sequential),
        create(`${root}/s-`, Mode.ephemeralSequential, Op.create2),
        create(`${root}/c`, Mode.container, Op.createContainer),
        create(`${root}/t`, Mode.ttl, Op.createTTL),
        create(`${root}/ts-`, Mode.sequentialTtl, Op.createTTL),
        check(root),
        check(root, 0),
        set(`${root}/p`),
        set(`${root}/p`, 1),
        check(`${root}/p`, 2),
        remove(`${root}/p`, 2)
      ])
      await a.children2(root)
      await a.multi("a parent and its child, and both gone again", [
        create(`${root}/x`),
        create(`${root}/x/y`),
        set(`${root}/x/y`),
        remove(`${root}/x/y`, 1),
        remove(`${root}/x`)
      ])
      await a.multi("deleted and made anew", [remove(`${root}/p2`), create(`${root}/p2`), set(`${root}/p2`, 0)])
      await a.get(`${root}/p2`)
      await a.multi("one alone", [set(`${root}/p2`)])
      await a.multi("a container by another opcode", [
        create(`${root}/c2`, Mode.container),
        create(`${root}/c3`, Mode.container, Op.create2)
      ])
      await a.multi("createTTL without a TTL mode", [create(`${root}/c4`, Mode.persistent, Op.createTTL)])
      await a.multi("createContainer of mode 0", [create(`${root}/c5`, Mode.persistent, Op.createContainer)])
      await a.multi("createContainer of mode 1", [create(`${root}/c6`, Mode.ephemeral, Op.createContainer)])
      for (const name of ["c2", "c3", "c4", "c5", "c6"]) await a.exists(`${root}/${name}`)
      await a.exists(root)
      await a.about(Op.getEphemerals, root)
    }
  },
  {
    name: "multi-failures",
    play: async (stage) => {
      const { root } = stage
      const owner = await stage.client("owner")
      const a = await stage.client("a")
      await prepare(owner, root)
      await owner.watches(Op.addWatch, root, 1)
      for (const [what, failing] of failures(root)) {
        await a.multi(`${what}, alone`, [failing])
        await a.multi(`${what}, in the midst`, [
          create(`${root}/new`),
          create(`${root}/new/s-`, Mode.sequential),
          create(`${root}/s-`, Mode.ephemeralSequential),
          set(`${root}/there`),
          failing,
          check(`${root}/there`, 77),
          create(`${root}/later`)
        ])
      }
      await a.children2(root)
      await a.get(`${root}/there`)
      await a.create(`${root}/s-`, { mode: Mode.sequential })
      await a.about(Op.getEphemerals, "/")
    }
  },
  {
    name: "multi-read",
    play: async (stage) => {
      const { root } = stage
      const owner = await stage.client("owner")
      const a = await stage.client("a")
      await prepare(owner, root)
      await a.multi("nothing", [], Op.multiRead)
      await a.multi("all that can be read", [getData(root), getChildren(root), getData(`${root}/there`)], Op.multiRead)
      await a.multi(
        "some of it",
        [
          getData(`${root}/missing`),
          getData(`${root}/closed`),
          getChildren(`${root}/closed`),
          getChildren(`${root}/missing`),
          getData(root),
          getData(""),
          getData("bad")
        ],
        Op.multiRead
      )
      await a.multi("with watches", [getData(`${root}/there`, true), getChildren(root, true)], Op.multiRead)
      await a.watches(Op.checkWatches, `${root}/there`, 3)
      await owner.set(`${root}/there`, "again")
      await a.multi("writes", [set(root), create(`${root}/x`)], Op.multiRead)
      await a.multi("a write among reads", [getData(root), set(root)], Op.multiRead)
      await a.multi("exists", [part(Op.exists, pathAndWatch(root, false))], Op.multiRead)
      await a.multi("getChildren2", [part(Op.getChildren2, pathAndWatch(root, false))], Op.multiRead)
      await a.ask("multiRead that is cut off", Op.multiRead, (w) => w.int(Op.getData).bool(false).int(-1).text(root))
      await a.get(root)
    }
  }
]

export const strangeMultis: ReadonlyArray<Scenario> = [
  {
    name: "multi-malformed",
    skippedBy: UNDECODABLE,
    play: async (stage) => {
      const { root } = stage
      const a = await stage.client("a")
      await a.create(root)
      for (const mode of [-1, 7, Mode.ttl, Mode.sequentialTtl]) {
        await a.multi(`mode ${mode}`, [set(root), create(`${root}/x`, mode)])
      }
      await a.multi("no ACL list", [set(root), create(`${root}/x`, 0, Op.create, null)])
      await a.multi("a ttl of nothing", [part(Op.createTTL, createBody(`${root}/t`, "", OPEN, Mode.ttl, 0n))])
      await a.multi("a ttl too long", [
        part(Op.createTTL, createBody(`${root}/t`, "", OPEN, Mode.ttl, 0x100_0000_0000n))
      ])
      for (const op of [Op.getData, Op.exists, Op.getChildren2, Op.sync, Op.ping, Op.multi, Op.deleteContainer, 999]) {
        await a.multi(`operation ${op} inside`, [set(root), part(op, pathAndWatch(root, false))])
      }
      await a.multi("setACL inside", [set(root), part(Op.setACL, setAclBody(root, OPEN, -1))])
      await a.multi("reads", [getData(root), getChildren(root)])
      await a.multi("a read among writes", [set(root), getData(root)])
      await a.multi("a write among reads", [getData(root), set(root)])
      await a.ask("multi that is cut off", Op.multi, (w) => w.int(Op.delete).bool(false).int(-1).text(root))
      await a.ask("multi without an end", Op.multi, (w) =>
        w.int(Op.delete).bool(false).int(-1).text(`${root}/x`).int(0)
      )
      await a.ask("multi without a body", Op.multi, (w) => w)
      await a.get(root)
    }
  }
]
