/** The tree and everything that is decided about it: pure, synchronous, the same on every peer. */
export { type AclList, fixAcl, isAllowed, OPEN_ACL } from "./acl.ts"
export { Applier } from "./apply.ts"
export { TreeLoader } from "./load.ts"
export { ROOT } from "./nodes.ts"
export { type OpenRequest, Preparer, type PreparerOptions, type Verdict } from "./prepare.ts"
export { ReadBatch, type ReadResults } from "./reads.ts"
export { Field, Kind, type Slot } from "./rows.ts"
export { Tree, TreeCorrupt } from "./tree.ts"
