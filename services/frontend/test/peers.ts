/** Whole peers in this process: every service is the real one, the disks are memory. */
import { makeSupervisor, Supervisor, supervisorLayer } from "@zkmesh/actor"
import { type Bus, loopbackLayer } from "@zkmesh/bus"
import { CurrentMetrics, Registry } from "@zkmesh/metrics"
import { runBroadcast } from "@zkmesh/service-broadcast"
import { runElection } from "@zkmesh/service-election"
import { runSession, type SessionServiceOptions } from "@zkmesh/service-session"
import { runZnode } from "@zkmesh/service-znode"
import { MemoryDatabase, memoryLayer } from "@zkmesh/store"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { runFrontend } from "../src/index.ts"
import { RawClient } from "./harness.ts"

const TICK_MS = 100

type SessionKinds = Pick<
  SessionServiceOptions,
  "localSessions" | "localSessionsUpgrading" | "readOnlyMode" | "leaderServes"
>

export class Ensemble {
  private readonly bus: Context.Context<Bus>
  private readonly sessions: SessionKinds
  private readonly voters: ReadonlyArray<number>
  private readonly disks = new Map<number, MemoryDatabase>()
  private readonly running = new Map<number, Scope.Closeable>()
  private readonly frontends: Array<Scope.Closeable> = []
  private readonly clients: Array<RawClient> = []
  private readonly deaths: Array<unknown> = []

  private constructor(bus: Context.Context<Bus>, size: number, sessions: SessionKinds) {
    this.bus = bus
    this.sessions = sessions
    this.voters = Array.from({ length: size }, (_, i) => i + 1)
  }

  static async start(size: number, sessions: SessionKinds = {}): Promise<Ensemble> {
    const scope = await Effect.runPromise(Scope.make())
    const bus = await Effect.runPromise(Layer.buildWithScope(loopbackLayer, scope))
    const ensemble = new Ensemble(bus, size, sessions)
    for (const sid of ensemble.voters) await ensemble.run(sid)
    return ensemble
  }

  /** Starts a peer, with what is on its disk. */
  async run(sid: number): Promise<void> {
    const { voters, sessions } = this
    const disk = this.disks.get(sid) ?? new MemoryDatabase()
    this.disks.set(sid, disk)
    const scope = await Effect.runPromise(Scope.make())
    const peer = Effect.gen(function* () {
      yield* runElection({ sid, voters, observer: false, finalizeWaitMs: 20 })
      yield* runBroadcast({ sid, voters, observers: [], tickTimeMs: TICK_MS, initLimit: 50, syncLimit: 20 })
      yield* runZnode({ sid, snapCount: 1e6, checkpointIntervalMs: 1e6, tickTimeMs: TICK_MS, syncLimit: 20 })
      yield* runSession({
        ...sessions,
        sid,
        tickTimeMs: TICK_MS,
        syncLimit: 20,
        minSessionTimeoutMs: 2 * TICK_MS,
        maxSessionTimeoutMs: 100 * TICK_MS
      })
    })
    const supervisor = await Effect.runPromise(Scope.provide(makeSupervisor(`peer ${sid}`), scope))
    Effect.runPromise(supervisor.join).catch((death) => this.deaths.push(death))
    const metrics = Layer.succeed(CurrentMetrics, new Registry())
    const layers = Layer.mergeAll(Layer.succeed(Supervisor, supervisor), memoryLayer(disk), metrics)
    const context = await Effect.runPromise(Layer.buildWithScope(layers, scope))
    await Effect.runPromise(peer.pipe(Effect.provide(Context.merge(this.bus, context)), Scope.provide(scope)))
    this.running.set(sid, scope)
  }

  /** Ends a peer as a crash would: its neighbours hear their links break, its disk keeps what was durable. */
  async kill(sid: number): Promise<void> {
    const scope = this.running.get(sid)!
    this.running.delete(sid)
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }

  /** Opens a door to these peers and returns its port. */
  async door(...peers: ReadonlyArray<number>): Promise<number> {
    const scope = await Effect.runPromise(Scope.make())
    this.frontends.push(scope)
    const name = `door${this.frontends.length}`
    const options = { name, peers, host: "127.0.0.1", port: 0, maxClientCnxns: 0, maxFrameBytes: 0xf_ffff }
    const frontend = runFrontend({ ...options, fourLetterWords: "*" })
    const supervisor = await Effect.runPromise(Layer.buildWithScope(supervisorLayer(name), scope))
    const { port } = await Effect.runPromise(
      frontend.pipe(Effect.provide(Context.merge(this.bus, supervisor)), Scope.provide(scope))
    )
    return port
  }

  client(port: number): RawClient {
    const client = new RawClient(port)
    this.clients.push(client)
    return client
  }

  /** A client with a session: it tries until somebody serves. */
  async session(
    port: number,
    options: Parameters<RawClient["open"]>[0] = {}
  ): Promise<{ client: RawClient; sessionId: Uint8Array; password: Uint8Array; timeoutMs: number }> {
    for (;;) {
      const client = this.client(port)
      client.send(client.connectFrame(options))
      await client.frame(1)
      if (client.frames.length > 0) return { client, ...client.connectResponse() }
    }
  }

  /** What a four-letter word prints. */
  word(port: number, word: string): Promise<string> {
    const client = this.client(port)
    client.send(Buffer.from(word))
    return client.untilClosed()
  }

  /** Waits for a peer (behind a door of its own) that leads, and returns its sid. */
  async leader(doors: ReadonlyMap<number, number>): Promise<number> {
    for (;;) {
      for (const [sid, port] of doors) if (/Mode: (leader|standalone)/.test(await this.word(port, "srvr"))) return sid
    }
  }

  /** Ends everything; fails if any peer had died of itself. */
  async stop(): Promise<void> {
    for (const client of this.clients) client.socket.destroy()
    for (const scope of this.frontends) await Effect.runPromise(Scope.close(scope, Exit.void))
    for (const sid of [...this.running.keys()]) await this.kill(sid)
    if (this.deaths.length > 0) throw this.deaths[0]
  }
}
