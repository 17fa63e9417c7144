/** Machines of their own, as far as the network goes: Linux's network namespaces, on a switch that is a bridge. */
import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"

const IP = ["/usr/sbin/ip", "/sbin/ip"].find(existsSync)
const IPTABLES = ["/usr/sbin/iptables", "/sbin/iptables"].find(existsSync)

const run = (command: string, args: ReadonlyArray<string>): string =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })

/** Which of two machines does not hear the other. */
export interface Loss {
  readonly from: number
  readonly to: number
  /** The share of packets that never arrive: 1 is a cut. */
  readonly share: number
}

const BRIDGE = "bridge"

/** `size` machines, counted from 0, that reach each other and are reached from here. Needs root. */
export class Namespaces {
  /** Other test runs on this machine have other names and another network. */
  private readonly id = process.pid % 250
  /** The switch is in a namespace as well: what this machine's firewall forwards is nothing to it. */
  private readonly hub = `zkm-${this.id}`
  private readonly size: number
  private isOpen = false

  constructor(size: number) {
    this.size = size
  }

  /** Whether this machine lets us: root, with iproute2, iptables, bridges and the statistic match. */
  static get areAllowed(): boolean {
    if (process.getuid?.() !== 0 || IP === undefined || IPTABLES === undefined) return false
    const one = new Namespaces(1)
    try {
      one.open()
      one.lose([{ from: 0, to: 0, share: 0.5 }])
      return true
    } catch (error) {
      // A command has said no: this kernel has no such thing, or this container may not use it.
      if (!(error instanceof Error && "status" in error)) throw error
      return false
    } finally {
      one.close()
    }
  }

  private name(index: number): string {
    return `${this.hub}-${index + 1}`
  }

  address(index: number): string {
    return `10.213.${this.id}.${index + 1}`
  }

  /** What starts a command on machine `index`, to be followed by the command. */
  command(index: number): ReadonlyArray<string> {
    return [IP!, "netns", "exec", this.name(index)]
  }

  private ip(...args: ReadonlyArray<string>): void {
    run(IP!, args)
  }

  open(): void {
    this.isOpen = true
    const { hub } = this
    this.ip("netns", "add", hub)
    this.ip("-n", hub, "link", "add", BRIDGE, "type", "bridge")
    this.ip("-n", hub, "link", "set", BRIDGE, "up")
    this.ip("link", "add", hub, "type", "veth", "peer", "name", "here", "netns", hub)
    this.ip("addr", "add", `10.213.${this.id}.254/24`, "dev", hub)
    this.ip("link", "set", hub, "up")
    this.ip("-n", hub, "link", "set", "here", "master", BRIDGE, "up")
    for (let index = 0; index < this.size; index++) {
      const name = this.name(index)
      this.ip("netns", "add", name)
      this.ip("-n", hub, "link", "add", `port${index}`, "type", "veth", "peer", "name", "eth0", "netns", name)
      this.ip("-n", hub, "link", "set", `port${index}`, "master", BRIDGE, "up")
      this.ip("-n", name, "addr", "add", `${this.address(index)}/24`, "dev", "eth0")
      this.ip("-n", name, "link", "set", "eth0", "up")
      this.ip("-n", name, "link", "set", "lo", "up")
    }
  }

  /** From now on these packets are lost, and no others. */
  lose(losses: ReadonlyArray<Loss>): void {
    for (let index = 0; index < this.size; index++) this.iptables(index, "-F", "INPUT")
    for (const { from, to, share } of losses) {
      const some = share < 1 ? ["-m", "statistic", "--mode", "random", "--probability", `${share}`] : []
      this.iptables(to, "-A", "INPUT", "-s", this.address(from), ...some, "-j", "DROP")
    }
  }

  private iptables(index: number, ...args: ReadonlyArray<string>): void {
    const [command, ...rest] = this.command(index)
    run(command!, [...rest, IPTABLES!, "-w", ...args])
  }

  close(): void {
    if (!this.isOpen) return
    this.isOpen = false
    const names = [this.hub, ...Array.from({ length: this.size }, (_, index) => this.name(index))]
    const existing = run(IP!, ["netns", "list"]).split(/\s+/)
    // Their interfaces go with them.
    for (const name of names) if (existing.includes(name)) this.ip("netns", "del", name)
  }
}
