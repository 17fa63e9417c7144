import { ErrorCode, errorName } from "@zkmesh/protocol"

/** An operation that failed: `code` is ZooKeeper's (see ErrorCode), `codeName` its name, such as NONODE. */
export class ZkError extends Error {
  override readonly name = "ZkError"
  readonly code: number
  readonly codeName: string
  readonly path: string | undefined

  constructor(code: number, path?: string, cause?: unknown) {
    super(
      path === undefined ? errorName(code) : `${errorName(code)} for ${path}`,
      cause === undefined ? undefined : { cause }
    )
    this.code = code
    this.codeName = errorName(code)
    this.path = path
  }
}

/** A transaction that failed as a whole: `results[i]` is the code of its operation i, 0 for those before the culprit. */
export class ZkTransactionError extends ZkError {
  /** Which operation is to blame. */
  readonly index: number
  readonly results: ReadonlyArray<number>

  constructor(results: ReadonlyArray<number>, index: number, path: string | undefined) {
    super(results[index] ?? ErrorCode.SYSTEMERROR, path)
    this.index = index
    this.results = results
  }
}
