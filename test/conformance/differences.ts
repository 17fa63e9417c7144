/** Every difference from ZooKeeper that is meant to be, with the reason. The test fails for an entry that is none. */
import type { Intended } from "./compare.ts"

/** From ZooKeeper 3.9, whose protocol is ours. */
export const fromNewer: ReadonlyArray<Intended> = []

/** From Debian's ZooKeeper 3.8 besides: what has changed between it and 3.9. */
export const fromOlder: ReadonlyArray<Intended> = []
