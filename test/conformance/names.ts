/**
 * Names for what differs from run to run. A zxid is known by the step that made it, a session by its client, a time by
 * its transaction: so the relations between them are compared, which a mask of blanks would hide.
 */
import type { Stat } from "../recorder/wire.ts"

export class Names {
  private readonly zxids = new Map<number, string>([[0, "0"]])
  private readonly times = new Map<number, number>([[0, 0]])
  private readonly sessions = new Map<bigint, string>([[0n, "none"]])
  /** The zxid of the last transaction that a step has made. */
  private last = 0
  /** The step at hand; a transaction that is first heard of in it has its name. */
  step = ""
  private inStep = 0
  /** The name of the last transaction. */
  private latest = "the beginning"

  begin(step: string): void {
    this.step = step
    this.inStep = 0
  }

  /** What is first heard of from here on is a server's own transaction, which the step at hand has waited for. */
  happened(): void {
    this.latest = `${this.step}, and then`
  }

  session(id: bigint, name: string): void {
    this.sessions.set(id, name)
  }

  /** `isWrite`: the step at hand has made it, if it is a new one. Otherwise it has the last transaction's name. */
  zxid(zxid: number, isWrite: boolean): string {
    if (zxid === -1) return "-1"
    const known = this.zxids.get(zxid)
    if (known !== undefined) return known
    if (zxid < this.last) return "one that is over"
    if (isWrite) {
      this.last = zxid
      this.inStep++
      this.latest = this.inStep === 1 ? this.step : `${this.step} (${this.inStep})`
    }
    this.zxids.set(zxid, this.latest)
    return this.latest
  }

  owner(id: bigint): string {
    return this.sessions.get(id) ?? "a stranger"
  }

  /** The time of a transaction, which is one and the same wherever it is seen. */
  private time(time: number, zxid: number): string {
    const known = this.times.get(zxid)
    if (known === time) return "its transaction's"
    if (known !== undefined) return "not its transaction's"
    this.times.set(zxid, time)
    return Math.abs(Date.now() - time) < 600_000 ? "its transaction's" : "out of this world"
  }

  stat(stat: Stat): Record<string, string | number> {
    return {
      czxid: this.zxid(stat.czxid, false),
      mzxid: this.zxid(stat.mzxid, false),
      pzxid: this.zxid(stat.pzxid, false),
      ctime: this.time(stat.ctime, stat.czxid),
      mtime: this.time(stat.mtime, stat.mzxid),
      version: stat.version,
      cversion: stat.cversion,
      aversion: stat.aversion,
      ephemeralOwner: this.owner(stat.ephemeralOwner),
      dataLength: stat.dataLength,
      numChildren: stat.numChildren
    }
  }
}
