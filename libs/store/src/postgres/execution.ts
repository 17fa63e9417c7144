import type { Statement } from "./connection.ts"
import type { RawConnection } from "./copy.ts"

/**
 * A prepared statement without rows, sent to the server with no more than it takes: Bind, Execute and Sync, in one write.
 *
 * It is what pg calls a submittable. pg's own Query copies its configuration, asks for a description, arms a timer and
 * makes two promises for each call, which together cost more than the rest of an append; a lone write waits for all of it.
 */
export class Execution {
  readonly name: string
  readonly text: string
  private readonly values: ReadonlyArray<string | Buffer>
  private readonly done: (error: Error | undefined) => void
  private error: Error | undefined

  /** `done` is called once, when the server is ready for the next statement or the connection is lost. */
  constructor(statement: Statement, values: ReadonlyArray<string | Buffer>, done: (error: Error | undefined) => void) {
    this.name = statement.name
    this.text = statement.text
    this.values = values
    this.done = done
  }

  submit(connection: RawConnection): void {
    const { name, text, values } = this
    const { stream } = connection
    stream.cork()
    // pg itself notes a statement as parsed, by the name of the query that was under way.
    if (connection.parsedStatements[name] === undefined) connection.parse({ name, text })
    connection.bind({ statement: name, values })
    connection.execute({})
    connection.sync()
    stream.uncork()
  }

  handleError(error: Error): void {
    // After an error the server still says that it is ready; after the loss of the connection it does not.
    if (this.error !== undefined) return
    this.error = error
    this.done(error)
  }

  handleReadyForQuery(): void {
    if (this.error === undefined) this.done(undefined)
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}
  handleCommandComplete(): void {}
}
