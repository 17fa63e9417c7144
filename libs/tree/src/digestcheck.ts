/** Compares this peer's digests with the leader's, whichever of the two is known first. */
import type { TreeDigest } from "@zkmesh/messages"
import { hex, type Zxid } from "@zkmesh/numbers"
import { TreeCorrupt } from "./tree.ts"

/** How many digests are remembered on either side: enough for any lag within the window. */
const REMEMBERED = 1024

/** This peer's tree is not the leader's. */
export class DigestMismatch extends TreeCorrupt {}

export class DigestCheck {
  private readonly own = new Map<Zxid, number>()
  private readonly leaders = new Map<Zxid, number>()
  compared = 0

  applied(digest: TreeDigest): void {
    remember(this.own, digest)
    this.compare(digest.zxid)
  }

  announced(digest: TreeDigest): void {
    remember(this.leaders, digest)
    this.compare(digest.zxid)
  }

  private compare(zxid: Zxid): void {
    const own = this.own.get(zxid)
    const leader = this.leaders.get(zxid)
    if (own === undefined || leader === undefined) return
    this.leaders.delete(zxid)
    if (own !== leader)
      throw new DigestMismatch(`the tree's digest at ${hex(zxid)} is ${own}, the leader's is ${leader}`)
    this.compared++
  }

  /** Of this peer's own, those that are remembered: the oldest first. */
  all(): Array<{ readonly zxid: Zxid; readonly digest: number }> {
    return [...this.own].map(([zxid, digest]) => ({ zxid, digest }))
  }

  /** The tree is another one. */
  clear(): void {
    this.own.clear()
    this.leaders.clear()
  }
}

const remember = (digests: Map<Zxid, number>, { zxid, digest }: TreeDigest): void => {
  digests.set(zxid, digest)
  if (digests.size <= REMEMBERED) return
  for (const oldest of digests.keys()) {
    digests.delete(oldest)
    return
  }
}
