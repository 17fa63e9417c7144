/**
 * Brings a snapshot to the ensemble as it comes in, and makes it the state.
 *
 * Its pieces are ephemeral znodes of a session of this process's own, whom nobody else may read: if the process dies, or
 * the body turns out to be no snapshot, they go and nothing has happened. Once all are there, one transaction has the
 * tree become the snapshot's (libs/tree/src/restoring.ts).
 */
import { createHash, randomBytes } from "node:crypto"
import type { ZkClient } from "@zkmesh/client"
import { ZkError } from "@zkmesh/client"
import { type Acl, CreateMode, ErrorCode, Perms } from "@zkmesh/protocol"
import { CorruptSnapshot, SnapshotReader } from "@zkmesh/store"

const PIECE_BYTES = 256 * 1024
/** What a create takes besides its data. */
const OVERHEAD = 1024
/** Pieces on their way at once. */
const WINDOW = 16
const DIGITS = 10

/** An id that nobody can prove: the password is thrown away. The super user is not asked. */
const nobody = (): ReadonlyArray<Acl> => {
  const hash = createHash("sha1").update(randomBytes(32)).digest("base64")
  return [{ perms: Perms.ALL, id: { scheme: "digest", id: `zkmesh:${hash}` } }]
}

export class Staging {
  private readonly client: ZkClient
  private readonly path = `/zookeeper/restore-${randomBytes(8).toString("hex")}`
  private readonly acl = nobody()
  private readonly pieceBytes: number
  private readonly reader = new SnapshotReader()
  private buffered: Array<Uint8Array> = []
  private size = 0
  private pieces = 0
  private underWay: Array<Promise<void>> = []
  znodes = 0

  /** `maxFrameBytes`: what the client port takes (`jute.maxbuffer`). */
  constructor(client: ZkClient, maxFrameBytes: number) {
    this.client = client
    this.pieceBytes = Math.max(OVERHEAD, Math.min(PIECE_BYTES, maxFrameBytes - OVERHEAD))
  }

  begin(): Promise<void> {
    // A container: what nobody comes back to take away goes by itself.
    return this.create(this.path, null, CreateMode.CONTAINER)
  }

  /** Takes what has come of the body. Throws CorruptSnapshot as soon as that is none. */
  async write(chunk: Uint8Array): Promise<void> {
    this.znodes += this.reader.read(chunk).nodes.length
    this.buffered.push(chunk)
    this.size += chunk.length
    while (this.size >= this.pieceBytes) await this.send(this.pieceBytes)
  }

  /** The body has ended: everything becomes what it says. */
  async commit(): Promise<void> {
    if (!this.reader.finished) throw new CorruptSnapshot("the body ends before the snapshot does")
    if (this.size > 0) await this.send(this.size)
    await Promise.all(this.underWay)
    await this.again(
      () => this.client.restore(this.path),
      async () => (await this.client.exists(this.path)) === undefined
    )
  }

  /** Nothing is left of it. */
  async abandon(): Promise<void> {
    await Promise.allSettled(this.underWay)
    for (let i = 0; i < this.pieces; i++) await this.remove(this.nameOf(i))
    await this.remove(this.path)
  }

  private nameOf(piece: number): string {
    return `${this.path}/${`${piece}`.padStart(DIGITS, "0")}`
  }

  private async send(bytes: number): Promise<void> {
    const all = this.buffered.length === 1 ? this.buffered[0]! : Buffer.concat(this.buffered)
    this.buffered = bytes < all.length ? [all.subarray(bytes)] : []
    this.size = all.length - bytes
    const sent = this.create(this.nameOf(this.pieces++), all.subarray(0, bytes), CreateMode.EPHEMERAL)
    // Its failure is told to whoever waits for it, which may be later.
    sent.catch(() => undefined)
    this.underWay.push(sent)
    if (this.underWay.length >= WINDOW) await this.underWay.shift()
  }

  private create(path: string, data: Uint8Array | null, mode: CreateMode): Promise<void> {
    return this.again(
      async () => void (await this.client.create(path, data, { mode, acl: this.acl })),
      async () => (await this.client.exists(path)) !== undefined
    )
  }

  private async remove(path: string): Promise<void> {
    try {
      await this.client.delete(path)
    } catch (error) {
      if (!(error instanceof ZkError && error.code === ErrorCode.NONODE)) throw error
    }
  }

  /** Whether a request whose connection was lost has been carried out shows afterwards: the session goes on. */
  private async again(act: () => Promise<void>, isDone: () => Promise<boolean>): Promise<void> {
    for (let isFirst = true; ; isFirst = false) {
      try {
        if (!isFirst && (await isDone())) return
        return await act()
      } catch (error) {
        if (!(error instanceof ZkError && error.code === ErrorCode.CONNECTIONLOSS)) throw error
        await this.client.connected()
      }
    }
  }
}
