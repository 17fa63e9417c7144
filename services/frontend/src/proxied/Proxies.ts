/** Whose word about where a connection comes from is taken. */
import { lookup } from "node:dns"
import { BlockList, isIP } from "node:net"
import { performance } from "node:perf_hooks"

/** How long what a name was resolved to is relied on: containers come back with other addresses. */
const FRESH_MS = 5000
/** A name is not asked about more often than this, however many strangers come. */
const PAUSE_MS = 200

/** Addresses, networks (10.0.0.0/8) and names, which are resolved when somebody comes. */
export class Proxies {
  private readonly fixed = new BlockList()
  private readonly names: ReadonlyArray<string>
  private readonly warn: (message: string) => void
  private readonly unresolved = new Set<string>()
  private resolved: ReadonlySet<string> = new Set()
  private resolvedAt = Number.NEGATIVE_INFINITY
  private waiting: Array<() => void> | undefined

  /** `warn` hears of names that cannot be resolved, once until they can. */
  constructor(trusted: ReadonlyArray<string>, warn: (message: string) => void) {
    this.warn = warn
    const names: Array<string> = []
    for (const one of trusted) {
      const [address, prefix] = one.split("/")
      const family = isIP(address!)
      if (family === 0) names.push(one)
      else if (prefix === undefined) this.fixed.addAddress(address!, kindOf(family))
      else this.fixed.addSubnet(address!, Number(prefix), kindOf(family))
    }
    this.names = names
  }

  /** Calls back with whether the address is a proxy's: at once, unless a name has to be resolved for it. */
  ask(address: string, answer: (isProxy: boolean) => void): void {
    const isFixed = this.fixed.check(address, kindOf(isIP(address)))
    const isResolved = this.resolved.has(address)
    const isFresh = performance.now() - this.resolvedAt < (isResolved ? FRESH_MS : PAUSE_MS)
    if (isFixed || isFresh || this.names.length === 0) answer(isFixed || isResolved)
    else this.resolve(() => answer(this.resolved.has(address)))
  }

  private resolve(then: () => void): void {
    if (this.waiting !== undefined) {
      this.waiting.push(then)
      return
    }
    this.waiting = [then]
    const found = new Set<string>()
    let left = this.names.length
    for (const name of this.names) {
      lookup(name, { all: true }, (error, addresses) => {
        this.tell(name, error)
        for (const { address } of addresses ?? []) found.add(address)
        if (--left === 0) this.done(found)
      })
    }
  }

  private tell(name: string, error: Error | null): void {
    if (error === null) this.unresolved.delete(name)
    else if (!this.unresolved.has(name)) {
      this.unresolved.add(name)
      this.warn(`${name}, whose PROXY headers are believed, cannot be resolved: ${error.message}`)
    }
  }

  private done(found: ReadonlySet<string>): void {
    const waiting = this.waiting ?? []
    this.waiting = undefined
    this.resolved = found
    this.resolvedAt = performance.now()
    for (const then of waiting) then()
  }
}

const kindOf = (family: number): "ipv4" | "ipv6" => (family === 6 ? "ipv6" : "ipv4")
