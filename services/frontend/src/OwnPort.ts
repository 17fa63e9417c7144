/**
 * The port of a server's own clients. It moves when the server's line in the ensemble's configuration comes to name another
 * one, as ZooKeeper's does; those who are connected stay.
 */
import type { AddressInfo } from "node:net"
import { parseConfiguration } from "@zkmesh/membership"
import type { Sid, Zxid } from "@zkmesh/numbers"
import type { Log } from "./Frontend.ts"
import type { Settings } from "./options.ts"
import type { Door, Place } from "./tls/door.ts"

/** Whose port it is. */
export interface Own {
  readonly sid: Sid
  /** The client part of its line as it was configured, `host:port`; undefined if the line says nothing of clients. */
  readonly client: string | undefined
}

const EVERYWHERE = "0.0.0.0"

export class OwnPort {
  private readonly own: Own
  private readonly door: Door
  private readonly backlog: number
  private readonly log: Log
  private readonly fail: (cause: unknown) => void
  private said: string | undefined
  private version: Zxid = 0
  /** One move after another. */
  private moving: Promise<void> = Promise.resolve()

  constructor(own: Own, door: Door, backlog: number, log: Log, fail: (cause: unknown) => void) {
    this.own = own
    this.door = door
    this.backlog = backlog
    this.log = log
    this.fail = fail
    this.said = own.client
  }

  /** A peer tells who the ensemble is now. A line that has not changed leaves the port where the server was told to have it. */
  follow(text: string): void {
    const { version, members } = parseConfiguration(text)
    if (version <= this.version) return
    this.version = version
    const member = members.find(({ sid }) => sid === this.own.sid)
    if (member?.clientPort === undefined) return
    const place = { host: member.clientHost ?? EVERYWHERE, port: member.clientPort, backlog: this.backlog }
    const said = `${place.host}:${place.port}`
    if (said === this.said) return
    this.said = said
    this.moving = this.moving.then(() => this.move(place)).catch(this.fail)
  }

  /** The lines of `conf`, with the port as it is. */
  shown(lines: Settings["configuration"]): Settings["configuration"] {
    const port = (this.door.server.address() as AddressInfo | null)?.port
    return lines.map(([key, value]) => (key === "clientPort" && port !== undefined ? [key, port] : [key, value]))
  }

  private async move(place: Place): Promise<void> {
    const { address, port } = this.door.server.address() as AddressInfo
    if (port === place.port && address === place.host) return
    try {
      await this.door.move(place)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.log(
        `clients cannot be moved to ${place.host}:${place.port}, and still come to ${address}:${port}: ${reason}`
      )
      return
    }
    this.door.server.on("error", this.fail)
    this.log(`clients connect to ${place.host}:${place.port} from now on`, {}, true)
  }
}
