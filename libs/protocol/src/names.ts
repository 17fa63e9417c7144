import { ErrorCode, OpCode } from "./constants.ts"

const invert = (codes: Readonly<Record<string, number>>): ReadonlyMap<number, string> =>
  new Map(Object.entries(codes).map(([name, code]) => [code, name]))

const errorNames = invert(ErrorCode)
const opNames = invert(OpCode)

/** `NONODE` for -101; a code of no name is shown as its number. */
export const errorName = (code: number): string => errorNames.get(code) ?? `ERROR${code}`
/** `getData` for 4. */
export const opName = (op: number): string => opNames.get(op) ?? `op${op}`
const INNER: ReadonlySet<number> = new Set([
  OpCode.check,
  OpCode.throttled,
  OpCode.notReadOnly,
  OpCode.ephemeralOnLocal,
  OpCode.resumeWatches,
  OpCode.restore
])

/** True for every opcode that a client may send in a request of its own. */
export const isClientOp = (op: number): boolean =>
  (opNames.has(op) && op > 0 && !INNER.has(op)) || op === OpCode.closeSession
