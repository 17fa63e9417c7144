import { assert } from "@effect/vitest"
import { CreateMode, type WatchEvent, ZkClient, type ZkClientOptions, ZkError } from "@zkmesh/client"
import { type NetworkProxy, startProxy } from "./proxy.ts"

/** What the client is tested against: a real ZooKeeper, or an ensemble of ours. */
export interface Ensemble {
  /** host:port of each server. */
  readonly servers: ReadonlyArray<string>
  /** True from ZooKeeper 3.9 on: one client can have several modes of watches on a path, and remove them one by one. */
  readonly watchModes: boolean
  /** Nodes with a time to live are offered. */
  readonly ttl: boolean
  /** Kills all servers and starts them again with their data. */
  readonly restart: () => Promise<void>
  readonly close: () => Promise<void>
}

/** What a promise that must fail fails with. */
export const failure = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise
  } catch (error) {
    return error
  }
  return assert.fail("it should have failed")
}
export const codeName = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise
  } catch (error) {
    if (error instanceof ZkError) return error.codeName
    throw error
  }
  return "OK"
}

/** A watcher, and a promise for each of its events in turn. */
export const watching = () => {
  const events: Array<WatchEvent> = []
  const waiting: Array<(event: WatchEvent) => void> = []
  return {
    watcher: (event: WatchEvent): void => {
      const next = waiting.shift()
      if (next === undefined) events.push(event)
      else next(event)
    },
    next: (): Promise<WatchEvent> => {
      const event = events.shift()
      return event === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(event)
    },
    unseen: events
  }
}
export const seen = ({ type, path }: WatchEvent): string => `${type} ${path}`

/** What every test has at hand: the ensemble, a client of all tests, and clients and places of its own. */
export class Bench {
  readonly ensemble: Ensemble
  readonly base: ZkClient
  private root = ""
  private places = 0
  private readonly clients: Array<ZkClient> = []
  private readonly proxies: Array<NetworkProxy> = []

  constructor(ensemble: Ensemble) {
    this.ensemble = ensemble
    this.base = new ZkClient(ensemble.servers.join(","))
  }

  async prepare(): Promise<void> {
    this.root = await this.base.create("/suite-", null, { mode: CreateMode.PERSISTENT_SEQUENTIAL })
  }

  private async opened(servers: string, options: ZkClientOptions): Promise<ZkClient> {
    const client = new ZkClient(servers, options)
    this.clients.push(client)
    await client.connected(30_000)
    return client
  }

  connect(chroot: string = "", options: ZkClientOptions = {}): Promise<ZkClient> {
    return this.opened(this.ensemble.servers.join(",") + chroot, options)
  }

  connectThrough(proxies: ReadonlyArray<NetworkProxy>, options: ZkClientOptions = {}): Promise<ZkClient> {
    const servers = proxies.map((proxy) => proxy.address).join(",")
    return this.opened(servers, { sessionTimeoutMs: 5000, inOrder: true, ...options })
  }

  async proxy(): Promise<NetworkProxy> {
    const proxy = await startProxy(this.ensemble.servers[0]!)
    this.proxies.push(proxy)
    return proxy
  }

  /** A fresh node of the test's own. */
  place(): Promise<string> {
    return this.base.create(`${this.root}/t${++this.places}`)
  }

  /** Ends what a test has opened. */
  async clear(): Promise<void> {
    await Promise.all(this.clients.splice(0).map((client) => client.close()))
    await Promise.all(this.proxies.splice(0).map((proxy) => proxy.close()))
  }

  async close(): Promise<void> {
    await this.base.close()
    await this.ensemble.close()
  }
}
