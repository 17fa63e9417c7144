/** COPY in both directions over a connection of pg. */
import type { Socket } from "node:net"
import type pg from "pg"
import type { StoreError } from "../store.ts"
import { COPY_END, COPY_HEADER } from "./binary.ts"

/** What pg's Connection offers to a submittable; @types/pg does not describe it. */
export interface RawConnection {
  readonly stream: Socket
  /** By name: the statements that the server knows. */
  readonly parsedStatements: Record<string, string | undefined>
  parse(statement: { readonly name: string; readonly text: string }): void
  bind(values: { readonly statement: string; readonly values: ReadonlyArray<string | Buffer> }): void
  execute(portal: object): void
  sync(): void
  query(text: string): void
  sendCopyFromChunk(chunk: Uint8Array): void
  endCopyFrom(): void
  sendCopyFail(reason: string): void
}

export const rawConnection = (client: pg.Client): RawConnection =>
  (client as unknown as { readonly connection: RawConnection }).connection

/** The part of pg's protocol that COPY needs (as the package pg-copy-streams does it). */
abstract class Copy {
  readonly text: string
  /** Settles when the server has finished the command. */
  readonly done: Promise<void>
  protected connection: RawConnection | undefined
  private readonly translate: (error: Error) => StoreError
  private settle: { readonly resolve: () => void; readonly reject: (error: StoreError) => void }
  private error: Error | undefined

  constructor(text: string, translate: (error: Error) => StoreError) {
    this.text = text
    this.translate = translate
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.done = promise
    this.settle = { resolve, reject }
    // Whoever reads or writes hears of it; nobody need be waiting for the end itself.
    promise.catch(() => undefined)
  }

  submit(connection: RawConnection): void {
    this.connection = connection
    connection.query(this.text)
  }

  handleError(error: Error): void {
    this.error ??= error
    this.settle.reject(this.translate(this.error))
  }

  handleReadyForQuery(): void {
    if (this.error === undefined) this.settle.resolve()
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}
  handleCommandComplete(): void {}
  handleCopyInResponse(_connection: RawConnection): void {}
  handleCopyData(_message: { readonly chunk: Buffer }): void {}
}

export class CopyOut extends Copy {
  private readonly onMessage: (message: Buffer) => void
  private broken: unknown

  constructor(text: string, onMessage: (message: Buffer) => void, translate: (error: Error) => StoreError) {
    super(text, translate)
    this.onMessage = onMessage
  }

  /** The consumer is behind: the server waits. */
  pause(): void {
    this.connection?.stream.pause()
  }

  resume(): void {
    this.connection?.stream.resume()
  }

  override handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    if (this.broken !== undefined) return
    try {
      this.onMessage(chunk)
    } catch (error) {
      this.broken = error
      this.handleError(error instanceof Error ? error : new Error(String(error)))
    }
  }
}

export class CopyIn extends Copy {
  private readonly started = Promise.withResolvers<RawConnection>()

  /** Sends rows; returns when the socket takes more. */
  async write(rows: Uint8Array): Promise<void> {
    const connection = await this.begun()
    connection.sendCopyFromChunk(rows)
    if (!connection.stream.writableNeedDrain) return
    const drained = Promise.withResolvers<void>()
    connection.stream.once("drain", drained.resolve)
    await Promise.race([drained.promise, this.done])
  }

  async finish(): Promise<void> {
    const connection = await this.begun()
    connection.sendCopyFromChunk(COPY_END)
    connection.endCopyFrom()
    await this.done
  }

  override handleCopyInResponse(connection: RawConnection): void {
    connection.sendCopyFromChunk(COPY_HEADER)
    this.started.resolve(connection)
  }

  /** The connection once the server takes rows; fails as the command does. */
  private async begun(): Promise<RawConnection> {
    await Promise.race([this.started.promise, this.done])
    return this.started.promise
  }
}
