import type { Connection } from "./connection.ts"

/** Neighbouring answers for one connection, gathered so that they leave as one piece of the znode's own buffer. */
export class AnswerRun {
  private readonly buffer: Uint8Array
  private connection: Connection | undefined
  private start = 0
  private end = 0
  private answers = 0

  constructor(buffer: Uint8Array) {
    this.buffer = buffer
  }

  /** The next answer ends at `end`. */
  add(connection: Connection, end: number): void {
    if (connection !== this.connection) {
      this.flush()
      this.connection = connection
    }
    this.end = end
    this.answers++
  }

  /** The next answer, up to `end`, is a stand-in's: `bytes` are what the client gets. */
  replace(connection: Connection, end: number, bytes: Uint8Array): void {
    this.flush()
    this.connection = undefined
    connection.frontend?.reply(connection.conn, bytes, 1)
    this.start = this.end = end
  }

  flush(): void {
    const { connection, answers } = this
    if (answers > 0) connection?.frontend?.reply(connection.conn, this.buffer.subarray(this.start, this.end), answers)
    this.start = this.end
    this.answers = 0
  }
}
