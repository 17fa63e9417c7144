/** The session service on a loopback bus, with a frontend and znodes that the test plays. */
import { supervisorLayer } from "@zkmesh/actor"
import { Bus, type Link, type LinkEvent, loopbackLayer, type Protocol } from "@zkmesh/bus"
import {
  ClientRequest,
  expiryProtocol,
  type FrontendToSession,
  frontendProtocol,
  type PrepareToSession,
  prepareProtocol,
  type SessionRecord,
  type SessionToExpiry,
  type SessionToFrontend,
  type SessionToPrepare,
  type SessionToZnode,
  streamProtocol,
  type ZnodeToSession
} from "@zkmesh/messages"
import { CurrentMetrics, Registry } from "@zkmesh/metrics"
import { JuteWriter, OpCode, writeEmptyReply } from "@zkmesh/protocol"
import { Effect, type Scope } from "effect"
import { assert, describe, it } from "vitest"
import { runSession } from "../src/index.ts"

const SID = 1

/** One end of links that the test plays: what came by them, and waiting for more. */
class Played<In extends { readonly _tag: string }, Out> {
  link: Link<Out> | undefined
  opened = 0
  readonly received: Array<In> = []
  private waiting: Array<() => void> = []

  readonly listener = (event: LinkEvent<In, Out>): void => {
    if (event._tag === "Opened") {
      this.link = event.link
      this.opened++
    } else if (event._tag === "Received") this.received.push(...event.messages)
    else if (event.link === this.link) this.link = undefined
    const waiting = this.waiting
    this.waiting = []
    for (const wake of waiting) wake()
  }

  async until(met: () => boolean): Promise<void> {
    while (!met()) await new Promise<void>((resolve) => this.waiting.push(resolve))
  }

  /** Takes the next message, when it has come. */
  async next(): Promise<In> {
    await this.until(() => this.received.length > 0)
    return this.received.shift()!
  }

  async nextIs<Tag extends string>(tag: Tag): Promise<Extract<In, { readonly _tag: Tag }>> {
    const message = await this.next()
    assert.strictEqual(message._tag, tag)
    return message as Extract<In, { readonly _tag: Tag }>
  }

  send(message: Out): void {
    assert.isTrue(this.link?.send(message))
  }
}

const listenAs = <Up extends { readonly _tag: string }, Down>(address: string, protocol: Protocol<Up, Down>) =>
  Effect.gen(function* () {
    const played = new Played<Up, Down>()
    const bus = yield* Bus
    yield* bus.listen(address, protocol, played.listener)
    return played
  })

interface Stage {
  readonly bus: Bus["Service"]
  readonly znode: Played<SessionToZnode, ZnodeToSession>
  readonly prepare: Played<SessionToPrepare, PrepareToSession>
  readonly otherPrepare: Played<SessionToPrepare, PrepareToSession>
  readonly otherSession: Played<SessionToExpiry, never>
  readonly frontend: Played<SessionToFrontend, FrontendToSession>
}

const withSession = (play: (stage: Stage) => Promise<void>, metrics = new Registry()): Promise<void> => {
  const program: Effect.Effect<void, unknown, Bus | Scope.Scope> = Effect.gen(function* () {
    const bus = yield* Bus
    const stage = {
      bus,
      znode: yield* listenAs(`znode.${SID}`, streamProtocol),
      prepare: yield* listenAs(`znode.${SID}`, prepareProtocol),
      otherPrepare: yield* listenAs("znode.2", prepareProtocol),
      otherSession: yield* listenAs("session.2", expiryProtocol),
      frontend: new Played<SessionToFrontend, FrontendToSession>()
    }
    yield* runSession({ sid: SID, tickTimeMs: 40, syncLimit: 5, minSessionTimeoutMs: 80, maxSessionTimeoutMs: 4000 })
    bus.dial("frontend.x", `session.${SID}`, frontendProtocol, stage.frontend.listener, 10_000)
    yield* Effect.promise(() => stage.znode.until(() => stage.znode.link !== undefined))
    yield* Effect.promise(() => play(stage))
  }).pipe(Effect.provide(supervisorLayer("test")), Effect.provideService(CurrentMetrics, metrics))
  return Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(loopbackLayer)))
}

const role = (leader: number, epoch: number) =>
  ({ _tag: "Role", role: leader === SID ? "leading" : "following", epoch, leader }) as const
const hello = (leader: number, sessions: ReadonlyArray<SessionRecord> = []) =>
  ({ _tag: "Hello", zxid: 100, role: role(leader, 1), sessions }) as const
const connect = {
  _tag: "Connect",
  conn: 1,
  sessionId: 0,
  password: new Uint8Array(16).fill(1),
  timeoutMs: 100,
  lastZxidSeen: 0,
  readOnly: false,
  identity: []
} as const

const record = (open: { token: number; timeoutMs: number; password: Uint8Array }, zxid: number): SessionRecord => ({
  id: zxid,
  password: open.password,
  timeoutMs: open.timeoutMs,
  peer: SID,
  connection: zxid,
  seq: 0,
  token: open.token
})
const created = (session: SessionRecord): ZnodeToSession => {
  const txn = { zxid: session.id, session: session.id, seq: 0, type: OpCode.createSession, reply: undefined }
  const sessionChange = { kind: "created", record: session } as const
  return { _tag: "Applied", zxid: session.id, txns: [{ ...txn, events: undefined, sessionChange }] }
}
const reply = (xid: number, zxid: number): Uint8Array => {
  const writer = new JuteWriter()
  writeEmptyReply(writer, xid, zxid, 0)
  return writer.take()
}

/** A frontend's client with a session, on a peer that follows (or is) `leader`. */
const attached = async ({ znode, prepare, otherPrepare, frontend }: Stage, leader: number) => {
  const way = leader === SID ? prepare : otherPrepare
  await frontend.nextIs("Status")
  znode.send(hello(leader))
  assert.deepInclude(await frontend.nextIs("Status"), { serving: true })
  frontend.send(connect)
  assert.deepInclude(await way.nextIs("Hello"), { peer: SID, epoch: 1 })
  const session = record(await way.nextIs("Open"), 101)
  znode.send(created(session))
  assert.deepInclude(await frontend.nextIs("Connected"), { conn: 1, sessionId: 101, timeoutMs: 100 })
  return session
}
const request = (xid: number, op: number) => new ClientRequest(1, xid, op, new Uint8Array(0), 0, 0)

describe("the session service", () => {
  it("takes a client through handshake, read, write and close", () =>
    withSession(async (stage) => {
      const { znode, otherPrepare, frontend } = stage
      const session = await attached(stage, 2)
      frontend.send({ _tag: "Requests", requests: [request(1, OpCode.getData), request(2, OpCode.setData)] })
      const reads = await znode.nextIs("Reads")
      assert.deepStrictEqual(reads.sessions, [session.id])
      const { requests } = await otherPrepare.nextIs("Writes")
      assert.deepInclude(requests[0], { session: 101, connection: 101, seq: 1, xid: 2 })
      const buffer = reply(1, 101)
      znode.send({ _tag: "ReadReplies", zxid: 101, buffer, ends: [buffer.length], watches: undefined })
      const txn = { zxid: 102, session: 101, seq: 1, type: 5, events: undefined, sessionChange: undefined }
      znode.send({ _tag: "Applied", zxid: 102, txns: [{ ...txn, reply: reply(2, 102) }] })
      const { replies } = await frontend.nextIs("Replies")
      assert.strictEqual(replies.length + (await moreReplies(frontend, 2 - replies.length)), 2)
    }))

  it("follows the stream from leader to leader and sends again what is pending", () =>
    withSession(async (stage) => {
      const { znode, prepare, otherPrepare, frontend } = stage
      await attached(stage, 2)
      frontend.send({ _tag: "Requests", requests: [request(1, OpCode.setData)] })
      await otherPrepare.nextIs("Writes")
      znode.send({ _tag: "Role", role: "looking", epoch: 1, leader: 0 })
      await otherPrepare.until(() => otherPrepare.link === undefined)
      znode.send(role(SID, 2))
      assert.deepInclude(await prepare.nextIs("Hello"), { epoch: 2 })
      assert.deepInclude((await prepare.nextIs("Writes")).requests[0], { seq: 1, xid: 1 })
    }))

  it("dials the leader again when the link breaks", () =>
    withSession(async (stage) => {
      const { otherPrepare, frontend } = stage
      await attached(stage, 2)
      frontend.send({ _tag: "Requests", requests: [request(1, OpCode.setData)] })
      await otherPrepare.nextIs("Writes")
      otherPrepare.link!.break("test")
      assert.deepInclude(await otherPrepare.nextIs("Hello"), { epoch: 1 })
      assert.deepInclude((await otherPrepare.nextIs("Writes")).requests[0], { seq: 1 })
    }))

  it("closes its clients' connections when its znode is lost, and is there again with it", () =>
    withSession(async (stage) => {
      const { znode, frontend } = stage
      await attached(stage, 2)
      znode.link!.break("test")
      assert.deepInclude(await frontend.nextIs("Status"), { serving: false })
      assert.deepInclude(await frontend.nextIs("Close"), { conn: 1 })
      await znode.until(() => znode.opened === 2)
      znode.send(hello(2))
      assert.deepInclude(await frontend.nextIs("Status"), { serving: true })
    }))

  it("reports to the leader whom it has heard from", () =>
    withSession(async (stage) => {
      const { otherSession, frontend } = stage
      await attached(stage, 2)
      frontend.send({ _tag: "Requests", requests: [request(-2, OpCode.ping)] })
      assert.deepStrictEqual(await otherSession.nextIs("Touch"), { _tag: "Touch", sessions: [101] })
    }))

  it("lets silent sessions expire when it leads, and takes other peers' word for the rest", () =>
    withSession(async (stage) => {
      const { bus, prepare } = stage
      const session = await attached(stage, SID)
      const started = performance.now()
      const peer = new Played<never, SessionToExpiry>()
      bus.dial("session.2", `session.${SID}`, expiryProtocol, peer.listener, 10_000)
      await peer.until(() => peer.link !== undefined)
      peer.send({ _tag: "Touch", sessions: [session.id] })
      const { requests } = await prepare.nextIs("Writes")
      assert.deepInclude(requests[0], { session: 101, connection: 0, seq: 0, op: OpCode.closeSession })
      assert.isAtLeast(performance.now() - started, 80)
    }))

  it("gives up on its clients when nobody leads for too long", () =>
    withSession(async (stage) => {
      const { znode, frontend } = stage
      await attached(stage, 2)
      znode.send({ _tag: "Role", role: "looking", epoch: 1, leader: 0 })
      assert.deepInclude(await frontend.nextIs("Status"), { serving: true, role: "looking" })
      assert.deepInclude(await frontend.nextIs("Status"), { serving: false })
      await frontend.nextIs("Close")
    }))

  it("times writes once, whether they are sent again or never come back", async () => {
    const metrics = new Registry()
    const play = async (stage: Stage) => {
      const { znode, otherPrepare, frontend } = stage
      await attached(stage, 2)
      frontend.send({ ...connect, conn: 2 })
      const second = record(await otherPrepare.nextIs("Open"), 102)
      znode.send(created(second))
      await frontend.nextIs("Connected")
      const write = (conn: number) => new ClientRequest(conn, 1, OpCode.setData, new Uint8Array(0), 0, 0)
      frontend.send({ _tag: "Requests", requests: [write(1)] })
      await otherPrepare.nextIs("Writes")
      frontend.send({ _tag: "Requests", requests: [write(2), { ...write(2), op: OpCode.getData } as ClientRequest] })
      await otherPrepare.nextIs("Writes")
      assert.strictEqual((await znode.nextIs("ReadsAfter")).requests.length, 1)
      otherPrepare.link!.break("test")
      await otherPrepare.nextIs("Hello")
      assert.strictEqual((await otherPrepare.nextIs("Writes")).requests.length, 2)
      // The first session ends, and its write with it; the second one's comes back.
      const nothing = { reply: undefined, events: undefined, sessionChange: undefined }
      const closed = { zxid: 103, session: 101, seq: 0, type: OpCode.closeSession, ...nothing }
      const done = { zxid: 104, session: 102, seq: 1, type: OpCode.setData, ...nothing, reply: reply(1, 104) }
      const txns = [{ ...closed, sessionChange: { kind: "closed", id: 101 } as const }, done]
      const buffer = reply(1, 104)
      znode.send({ _tag: "Applied", zxid: 104, txns })
      const after = { session: 102, connection: 102, zxid: 104, buffer, ends: [buffer.length], watches: undefined }
      znode.send({ _tag: "RepliesAfter", ...after })
      await moreReplies(frontend, 2)
    }
    await withSession(play, metrics)
    const figures = metrics.figures("session")
    assert.deepInclude(figures, {
      cnt_write_commitproc_time_ms: 1,
      sum_write_commit_proc_req_queued: 2,
      sum_learner_request_processor_queue_size: 2,
      sum_commit_commit_proc_req_queued: 4,
      // The two sessions' beginnings, and the end that somebody else has asked for.
      cnt_server_write_committed_time_ms: 3,
      cnt_read_commitproc_time_ms: 1,
      sum_read_commit_proc_req_queued: 1,
      sum_reads_issued_from_session_queue: 1
    })
  })

  it("answers questions with its znode's numbers among its own", () =>
    withSession(async (stage) => {
      const { znode, frontend } = stage
      await attached(stage, 2)
      frontend.send({ _tag: "Query", id: 9, name: "stats" })
      const { id } = await znode.nextIs("Query")
      znode.send({ _tag: "Answer", id, stats: { znode_count: 6 } })
      const { stats } = await frontend.nextIs("Answer")
      assert.deepInclude(stats, { znode_count: 6, global_sessions: 1, attached_sessions: 1 })
    }))
})

/** How many further replies come, until there are `wanted`. */
const moreReplies = async (frontend: Stage["frontend"], wanted: number): Promise<number> => {
  let more = 0
  while (more < wanted) more += (await frontend.nextIs("Replies")).replies.length
  return more
}
