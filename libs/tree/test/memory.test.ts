import { assert, describe, it } from "vitest"
import { Arena } from "../src/arena.ts"
import { HASH_BASIS, hashPath } from "../src/hash.ts"
import { type Content, Nodes, ROOT } from "../src/nodes.ts"
import { PathIndex } from "../src/pathindex.ts"
import { Field, type Slot } from "../src/rows.ts"
import { random } from "./random.ts"

const bytesOf = (arena: Arena, address: number, length: number): Buffer => Buffer.from(arena.copy(address, 0, length))

describe("the arena", () => {
  it("gives back what was put in, whatever else comes and goes", () => {
    const next = random(1)
    const arena = new Arena()
    const blocks: Array<{ address: number; content: Buffer }> = []
    for (let i = 0; i < 1500; i++) {
      if (blocks.length > 50 && next() % 2 === 0) {
        const [gone] = blocks.splice(next() % blocks.length, 1)
        arena.release(gone!.address, gone!.content.length)
      }
      const length = next() % 5 === 0 ? next() % 40_000 : next() % 400
      const content = Buffer.alloc(length, next() % 256)
      const address = arena.resize(0, 0, length, 0)
      arena.write(address, 0, content, 0, length)
      blocks.push({ address, content })
      const one = blocks[next() % blocks.length]!
      assert.isTrue(bytesOf(arena, one.address, one.content.length).equals(one.content))
      assert.isTrue(arena.equals(one.address, one.content.length, one.content, 0))
    }
  })
  it("keeps the first bytes of a block that grows or shrinks", () => {
    const next = random(2)
    const arena = new Arena()
    const name = Buffer.from("name")
    let address = arena.resize(0, 0, 4, 0)
    arena.write(address, 0, name, 0, 4)
    let before = 4
    for (let i = 0; i < 500; i++) {
      const length = 4 + (next() % 3 === 0 ? next() % 50_000 : next() % 64)
      address = arena.resize(address, before, length, 4)
      before = length
      assert.equal(arena.text(address, 4), "name")
    }
  })
  it("uses freed memory again", () => {
    const arena = new Arena()
    for (let i = 0; i < 5000; i++) {
      const address = arena.resize(0, 0, 1000, 0)
      arena.release(address, 1000)
    }
    assert.equal(arena.reserved, 32 * 1024)
    const large = arena.resize(0, 0, 500_000, 0)
    assert.equal(arena.reserved, 32 * 1024 + 500_000)
    arena.release(large, 500_000)
    assert.equal(arena.reserved, 32 * 1024)
  })
  it("keeps what it holds while its first page grows", () => {
    const arena = new Arena()
    const bytes = Buffer.alloc(1000)
    const addresses = Array.from({ length: 3000 }, (_, index) => {
      const address = arena.resize(0, 0, 1000, 0)
      arena.write(address, 0, bytes.fill(index & 0xff), 0, 1000)
      return address
    })
    addresses.forEach((address, index) => {
      assert.isTrue(arena.equals(address, 1000, bytes.fill(index & 0xff), 0))
    })
    assert.equal(arena.reserved, 3 * 1024 * 1024)
  })
  it("copies any part to any place, and no further than its last word", () => {
    const arena = new Arena()
    const target = Buffer.alloc(64)
    const view = new DataView(target.buffer, target.byteOffset, target.length)
    const content = Buffer.from("abcdefghijklmnopqrstuvwxyz")
    const address = arena.resize(0, 0, 26, 0)
    arena.write(address, 0, content, 0, 26)
    for (let length = 0; length <= 22; length++) {
      target.fill(0)
      arena.copyTo(address, 4, length, target, view, 7)
      assert.equal(target.toString("latin1", 7, 7 + length), content.toString("latin1", 4, 4 + length))
      assert.isTrue(target.subarray(0, 7).every((byte) => byte === 0))
      assert.isTrue(target.subarray(7 + ((length + 3) & ~3)).every((byte) => byte === 0))
    }
  })
})

describe("the path index", () => {
  it("finds what was put in and not taken out, also when hashes collide", () => {
    const next = random(3)
    const index = new PathIndex()
    const expected = new Map<Slot, number>()
    const find = (hash: number, slot: Slot): boolean => {
      for (let at = hash & index.mask; index.table[2 * at + 1] !== 0; at = (at + 1) & index.mask) {
        if (index.table[2 * at] === hash && index.table[2 * at + 1] === slot) return true
      }
      return false
    }
    for (let i = 1; i < 4000; i++) {
      const hash = (next() % 512) * 0x10001
      index.insert(hash, i)
      expected.set(i, hash)
      if (next() % 3 > 0) {
        const [slot, gone] = [...expected][next() % Math.min(expected.size, 50)]!
        index.remove(gone, slot)
        expected.delete(slot)
        assert.isFalse(find(gone, slot))
      }
      if (i % 1000 === 0) for (const [slot, hash] of expected) assert.isTrue(find(hash, slot))
    }
  })
  it("says so if something is missing", () => {
    assert.throws(() => new PathIndex().remove(5, 1), /missing/)
  })
})

describe("the znodes", () => {
  const content = (path: string): Content => {
    const bytes = Buffer.from(path)
    return { path: bytes, pathStart: 0, pathEnd: bytes.length, data: bytes, dataStart: 0, dataEnd: bytes.length }
  }
  it("are found by their whole path only, in any memory", () => {
    const nodes = new Nodes(12345)
    const paths = ["/a", "/a/b", "/a/b/c", "/ab", "/b", "/a/bb", "/ä/ö"]
    nodes.create(ROOT, content("/ä"))
    for (const path of paths) {
      const parent = path.lastIndexOf("/") === 0 ? ROOT : nodes.findPath(path.slice(0, path.lastIndexOf("/")))
      nodes.create(parent, content(path))
    }
    for (const path of paths) {
      const slot = nodes.findPath(path)
      assert.equal(nodes.path(slot), path)
      const inside = Buffer.from(`xx${path}yy`)
      assert.equal(nodes.find(inside, 2, inside.length - 2), slot)
    }
    for (const path of ["/c", "a", "a/b", "/a/", "/a//b", "//a", "/a/b/c/d", "b", "/a/c"]) {
      assert.equal(nodes.findPath(path), 0, path)
    }
    assert.equal(nodes.findPath("/"), ROOT)
    assert.equal(nodes.findPath(""), ROOT)
  })
  it("hang together like a map of paths, whatever comes and goes", () => {
    const next = random(4)
    const nodes = new Nodes(7)
    const expected = new Map<string, Slot>([["/", ROOT]])
    for (let i = 0; i < 20_000; i++) {
      const paths = [...expected.keys()]
      const parent = paths[next() % paths.length]!
      const path = `${parent === "/" ? "" : parent}/${next() % 20}`
      const slot = nodes.findPath(path)
      assert.equal(slot, expected.get(path) ?? 0)
      if (slot === 0 && path.length < 12) expected.set(path, nodes.create(expected.get(parent)!, content(path)))
      else if (slot !== 0 && nodes.rows.get(slot, Field.numChildren) === 0) {
        nodes.remove(slot, Buffer.from(path), 0, path.length)
        expected.delete(path)
      }
      assert.equal(nodes.count, expected.size)
      if (expected.size > 200) break
    }
    for (const [path, slot] of expected) {
      const below = [...expected.keys()].filter((p) => p !== path && p.startsWith(path === "/" ? "/" : `${path}/`))
      assert.equal(nodes.countDescendants(slot), below.length)
      const names = new Set<string>()
      for (let c = nodes.rows.get(slot, Field.firstChild); c !== 0; c = nodes.rows.get(c, Field.next))
        names.add(nodes.path(c))
      const children = below.filter((p) => p.lastIndexOf("/") === (path === "/" ? 0 : path.length))
      assert.deepEqual([...names].sort(), children.sort())
    }
  })
  it("survive colliding hashes: the bytes decide", () => {
    // The classic FNV-1a collision, with the seed that undoes the slash before it.
    const inverseOfPrime = 0x359c449b
    const seed = HASH_BASIS ^ 0x2f ^ Math.imul(HASH_BASIS, inverseOfPrime)
    const [one, other] = ["/costarring", "/liquid"].map((path) => Buffer.from(path))
    assert.equal(hashPath(one!, 0, one!.length, seed), hashPath(other!, 0, other!.length, seed))
    const nodes = new Nodes(seed)
    const first = nodes.create(ROOT, content("/costarring"))
    assert.equal(nodes.findPath("/liquid"), 0)
    const second = nodes.create(ROOT, content("/liquid"))
    assert.equal(nodes.findPath("/costarring"), first)
    assert.equal(nodes.findPath("/liquid"), second)
    nodes.remove(first, one!, 0, one!.length)
    assert.equal(nodes.findPath("/costarring"), 0)
    assert.equal(nodes.findPath("/liquid"), second)
  })
})
