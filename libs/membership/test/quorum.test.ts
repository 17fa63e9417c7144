import { Hierarchy, Majority, parseConfiguration, type Quorum } from "@zkmesh/membership"
import { assert, describe, it } from "vitest"

const reached = (quorum: Quorum, acks: Readonly<Record<number, number>>): number | undefined => {
  quorum.begin()
  for (const [sid, zxid] of Object.entries(acks)) quorum.add(Number(sid), zxid)
  return quorum.reached()
}

describe("a majority", () => {
  const quorum = new Majority([1, 2, 3, 4])
  it("is more than half of the voters", () => {
    assert.isFalse(quorum.has([1, 2, 9, 8]))
    assert.isTrue(quorum.has([1, 2, 3]))
  })
  it("has what its slowest member has", () => {
    assert.isUndefined(reached(quorum, { 1: 5, 2: 7 }))
    assert.equal(reached(quorum, { 1: 5, 2: 7, 3: 6, 4: 2 }), 5)
  })
})

describe("a hierarchy", () => {
  const groups = new Map([
    [1, [1, 2, 3]],
    [2, [4, 5, 6]],
    [3, [7, 8, 9]]
  ])
  const quorum = new Hierarchy([1, 2, 3, 4, 5, 6, 7, 8, 9], { groups, weights: new Map([[9, 0]]) })
  it("wants most of the weight in most of the groups", () => {
    assert.isTrue(quorum.has([1, 2, 4, 5]))
    assert.isFalse(quorum.has([1, 2, 3, 4, 7]))
    assert.isFalse(quorum.has([1, 2, 7, 9]))
    assert.isTrue(quorum.has([1, 2, 7, 8]))
  })
  it("has what such a quorum has", () => {
    assert.equal(reached(quorum, { 1: 9, 2: 8, 3: 7, 4: 6, 5: 5, 6: 4 }), 5)
    assert.isUndefined(reached(quorum, { 1: 9, 2: 8, 3: 7, 4: 6 }))
  })
  it("leaves out groups without any weight", () => {
    const two = new Map([
      [1, [1, 2, 3]],
      [2, [4, 5]]
    ])
    const weights = new Map([
      [4, 0],
      [5, 0]
    ])
    assert.isTrue(new Hierarchy([1, 2, 3, 4, 5], { groups: two, weights }).has([1, 3]))
  })
})

describe("a configuration's text", () => {
  it("comes back as it was", () => {
    const text = [
      "server.1=[::1]:2888:3888:participant;[::]:2181",
      "server.2=b:2888:3888:participant;0.0.0.0:2181",
      "server.7=c:2888:3888:observer",
      "group.1=1:2",
      "weight.2=3",
      "version=10000000a"
    ].join("\n")
    const configuration = parseConfiguration(text)
    assert.equal(configuration.text, text)
    assert.equal(configuration.version, 0x1_0000_000a)
    assert.deepEqual([...configuration.quorum.voters], [1, 2])
  })
})
