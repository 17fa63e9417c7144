import type { Socket } from "node:net"
import type { Limits } from "./options.ts"

/** How many connections there are, in all and by address: from before their handshake to their end. */
export class Admission {
  private readonly limits: Pick<Limits, "maxClientCnxns" | "maxCnxns">
  private readonly refuse: (reason: string) => void
  private total = 0
  private readonly addresses = new Map<string, number>()

  constructor(limits: Pick<Limits, "maxClientCnxns" | "maxCnxns">, refuse: (reason: string) => void) {
    this.limits = limits
    this.refuse = refuse
  }

  /** Whether a connection from this address may stay; it counts until it is closed. */
  admit(socket: Socket, address: string): boolean {
    const { maxClientCnxns, maxCnxns } = this.limits
    const here = this.addresses.get(address) ?? 0
    if (maxClientCnxns > 0 && here >= maxClientCnxns) {
      this.refuse(`${address} has ${here} connections`)
      return false
    }
    if (maxCnxns > 0 && this.total >= maxCnxns) {
      this.refuse(`${address} comes when there are ${this.total} connections`)
      return false
    }
    this.total++
    this.addresses.set(address, here + 1)
    socket.once("close", () => this.left(address))
    return true
  }

  private left(address: string): void {
    this.total--
    const others = (this.addresses.get(address) ?? 1) - 1
    if (others === 0) this.addresses.delete(address)
    else this.addresses.set(address, others)
  }
}
