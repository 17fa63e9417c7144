import { isClientOp, OpCode } from "@zkmesh/protocol"
import { OTHER, READ, UPDATE } from "./statistics.ts"

/** A request begins with its xid and its opcode. */
export const HEADER_BYTES = 8

/** No request of a client's: answered UNIMPLEMENTED, then closed. */
export const REFUSE = 0
/** Goes to the session service. */
export const FORWARD = 1
export const AUTH = 2
export const SASL = 3
/** Goes to the session service if it is the super user's; of anybody else it is refused. */
export const SUPER = 4

const LOWEST: number = OpCode.closeSession
const kinds = new Uint8Array(128 - LOWEST)
for (let op = LOWEST; op < 128; op++) {
  kinds[op - LOWEST] = op === OpCode.auth ? AUTH : op === OpCode.sasl ? SASL : isClientOp(op) ? FORWARD : REFUSE
}
kinds[OpCode.restore - LOWEST] = SUPER

/** What becomes of a request with this opcode. */
export const fateOf = (op: number): number => {
  const at = op - LOWEST
  return at >= 0 && at < kinds.length ? kinds[at]! : REFUSE
}

const UPDATES: ReadonlyArray<number> = [
  OpCode.create,
  OpCode.create2,
  OpCode.createTTL,
  OpCode.createContainer,
  OpCode.delete,
  OpCode.deleteContainer,
  OpCode.setData,
  OpCode.setACL,
  OpCode.multi,
  OpCode.reconfig,
  OpCode.restore,
  OpCode.closeSession
]
/** Neither: what keeps the session alive, or goes through the ensemble without a change. */
const OTHERS: ReadonlyArray<number> = [OpCode.ping, OpCode.sync]
const latencyKinds = new Uint8Array(128 - LOWEST).fill(READ)
for (const op of UPDATES) latencyKinds[op - LOWEST] = UPDATE
for (const op of OTHERS) latencyKinds[op - LOWEST] = OTHER

/** Among which requests the latency of one with this opcode counts. Only for those that `fateOf` forwards. */
export const latencyKindOf = (op: number): number => latencyKinds[op - LOWEST]!

/** How `cons` names the last operation of a connection. */
const SHORT_NAMES: Readonly<Record<number, string>> = {
  [OpCode.ping]: "PING",
  [OpCode.createSession]: "SESS",
  [OpCode.multi]: "MULT",
  [OpCode.multiRead]: "MLTR",
  [OpCode.create]: "CREA",
  [OpCode.create2]: "CREA",
  [OpCode.createTTL]: "CREA",
  [OpCode.createContainer]: "CREA",
  [OpCode.delete]: "DELE",
  [OpCode.setData]: "SETD",
  [OpCode.reconfig]: "RECO",
  [OpCode.setACL]: "SETA",
  [OpCode.closeSession]: "CLOS",
  [OpCode.sync]: "SYNC",
  [OpCode.exists]: "EXIS",
  [OpCode.getData]: "GETD",
  [OpCode.setWatches]: "SETW",
  [OpCode.setWatches2]: "STW2",
  [OpCode.addWatch]: "ADDW",
  [OpCode.getACL]: "GETA",
  [OpCode.getChildren]: "GETC",
  [OpCode.getChildren2]: "GETC",
  [OpCode.getAllChildrenNumber]: "GETACN",
  [OpCode.checkWatches]: "CHKW",
  [OpCode.removeWatches]: "REMW",
  [OpCode.whoAmI]: "HOMI",
  [OpCode.getEphemerals]: "GETE"
}
export const shortName = (op: number): string => SHORT_NAMES[op] ?? "NA"
