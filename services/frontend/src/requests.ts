import { isClientOp, OpCode } from "@zkmesh/protocol"

/** No request of a client's: answered UNIMPLEMENTED, then closed. */
export const REFUSE = 0
/** Goes to the session service. */
export const FORWARD = 1
export const AUTH = 2
export const SASL = 3

const LOWEST: number = OpCode.closeSession
const kinds = new Uint8Array(128 - LOWEST)
for (let op = LOWEST; op < 128; op++) {
  kinds[op - LOWEST] = op === OpCode.auth ? AUTH : op === OpCode.sasl ? SASL : isClientOp(op) ? FORWARD : REFUSE
}

/** What becomes of a request with this opcode. */
export const fateOf = (op: number): number => {
  const at = op - LOWEST
  return at >= 0 && at < kinds.length ? kinds[at]! : REFUSE
}

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
