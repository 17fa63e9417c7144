import { type BroadcastToZnode, ClientRequest, type SessionToZnode, type ZnodeToSession } from "@zkmesh/messages"
import { zxid } from "@zkmesh/numbers"
import { JuteReader, JuteWriter, OpCode, readReplyHeader } from "@zkmesh/protocol"
import { assert, describe, it } from "vitest"
import { Tree, ZnodeCore } from "../src/index.ts"
import { IP, World } from "./world.ts"

/** The session that `World`'s client has, and the connection that made it. */
const SESSION = zxid(1, 1)

/** A core whose stream is `s`, and a history to apply: request n of the session creates `/n<n>`. */
class Stage {
  readonly core = new ZnodeCore(
    {
      sid: 1,
      snapCount: 1000,
      checkpointIntervalMs: 1000,
      extendedTypes: false,
      containerCheckIntervalMs: 60_000,
      containerMaxPerCheck: 100,
      proposalWindowBytes: 100_000
    },
    new Tree()
  )
  readonly history: ReadonlyArray<BroadcastToZnode>
  readonly said: Array<string> = []
  broken: Array<string> = []

  constructor(writes: number) {
    const world = new World()
    const client = world.client()
    for (let i = 1; i <= writes; i++) client.createOk(`/n${i}`)
    this.history = world.batches.map((batch) => ({ _tag: "Committed", batch }))
    this.step({ _tag: "StreamOpened", link: "s" })
    this.commit(1)
    this.said.length = 0
  }

  private step(...inputs: ReadonlyArray<Parameters<ZnodeCore["step"]>[0]>): void {
    for (const input of inputs) this.core.step(input, { nowMs: 0, wallMs: 0 })
    const { toStreams, breaks } = this.core.take()
    for (const { messages } of toStreams) for (const message of messages) this.said.push(describeMessage(message))
    this.broken.push(...breaks.map(({ link }) => link))
  }

  /** The next `count` transactions are committed, all in one batch of events. */
  private next = 0
  commit(count: number): void {
    const messages = this.history.slice(this.next, this.next + count)
    this.next += count
    this.step({ _tag: "FromBroadcast", messages })
  }

  ask(...messages: ReadonlyArray<SessionToZnode>): void {
    this.step({ _tag: "FromStream", link: "s", messages })
  }
}

/** `Applied 2 3`, or the answers as `xid:error` after how far the tree had got. */
const describeMessage = (message: ZnodeToSession): string => {
  if (message._tag === "Applied") return `Applied ${message.txns.map((txn) => txn.seq).join(" ")}`
  if (message._tag !== "ReadReplies" && message._tag !== "RepliesAfter") return message._tag
  let start = 0
  const answers = message.ends.map((end) => {
    const { xid, err } = readReplyHeader(new JuteReader(message.buffer, start + 4, end))
    start = end
    return `${xid}:${err}`
  })
  return `${message._tag} @${message.zxid % 2 ** 32} ${answers.join(" ")}`
}

const exists = (xid: number, path: string): ClientRequest => {
  const writer = new JuteWriter()
  writer.ustring(path)
  writer.bool(true)
  const bytes = writer.take()
  return new ClientRequest(1, xid, OpCode.exists, bytes, 0, bytes.length)
}
/** Each read is asked for right after the write `seq`: does `/n<n>` exist then? */
const after = (connection: number, ...reads: ReadonlyArray<readonly [seq: number, xid: number, n: number]>) =>
  ({
    _tag: "ReadsAfter",
    requests: reads.map(([, xid, n]) => exists(xid, `/n${n}`)),
    identities: reads.map(() => IP),
    sessions: reads.map(() => SESSION),
    connections: reads.map(() => connection),
    seqs: reads.map(([seq]) => seq)
  }) as const

describe("reads between two writes of their session", () => {
  it("see the one before and not the one after, though both are applied in one batch", () => {
    const stage = new Stage(3)
    stage.ask(after(SESSION, [1, 10, 1], [1, 11, 2], [2, 12, 2], [2, 13, 3]))
    assert.deepEqual(stage.said, [])
    stage.commit(3)
    assert.deepEqual(stage.said, [
      "Applied 1",
      "RepliesAfter @2 10:0 11:-101",
      "Applied 2",
      "RepliesAfter @3 12:0 13:-101",
      "Applied 3"
    ])
  })

  it("are done at once if their write has been applied, after what was asked before them", () => {
    const stage = new Stage(2)
    stage.commit(1)
    stage.said.length = 0
    const plain = { _tag: "Reads", requests: [exists(9, "/n1")], identities: [IP], sessions: [SESSION] } as const
    stage.ask(plain, after(SESSION, [1, 10, 2]), after(SESSION, [2, 11, 2]))
    assert.deepEqual(stage.said, ["ReadReplies @2 9:0", "RepliesAfter @2 10:-101"])
    stage.commit(1)
    assert.deepEqual(stage.said.slice(2), ["Applied 2", "RepliesAfter @3 11:0"])
  })

  it("register their watches like any other", () => {
    const stage = new Stage(1)
    stage.ask(after(SESSION, [1, 10, 1]))
    const { core } = stage
    core.step({ _tag: "FromBroadcast", messages: stage.history.slice(1) }, { nowMs: 0, wallMs: 0 })
    const messages = core.take().toStreams[0]!.messages
    const replies = messages.find((message) => message._tag === "RepliesAfter")
    assert.deepInclude(replies, { session: SESSION, connection: SESSION })
    assert.deepEqual(replies?.watches, [{ index: 0, mode: "data", path: "/n1" }])
  })

  it("are nobody's if their connection is not the session's live one", () => {
    const stage = new Stage(1)
    stage.ask(after(SESSION + 5, [1, 10, 1]))
    stage.commit(1)
    assert.deepEqual(stage.said, ["Applied 1"])
  })

  it("break the stream if they come too late: what they were not to see has happened", () => {
    const stage = new Stage(2)
    stage.commit(2)
    stage.said.length = 0
    stage.ask(after(SESSION, [1, 10, 2]))
    assert.deepEqual(stage.said, [])
    assert.deepEqual(stage.broken, ["s"])
  })
})
