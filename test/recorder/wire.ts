/**
 * The client protocol written down a second time, by hand and only as far as the tests need it: what is checked must
 * not be read with the code that is checked.
 */

export interface Stat {
  readonly czxid: number
  readonly mzxid: number
  readonly ctime: number
  readonly mtime: number
  readonly version: number
  readonly cversion: number
  readonly aversion: number
  readonly ephemeralOwner: bigint
  readonly dataLength: number
  readonly numChildren: number
  readonly pzxid: number
}

export class Writer {
  private readonly parts: Array<Buffer> = []

  int(value: number): this {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(value)
    this.parts.push(bytes)
    return this
  }

  long(value: bigint): this {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64BE(value)
    this.parts.push(bytes)
    return this
  }

  bool(value: boolean): this {
    this.parts.push(Buffer.of(value ? 1 : 0))
    return this
  }

  buffer(bytes: Buffer): this {
    this.int(bytes.length)
    this.parts.push(bytes)
    return this
  }

  text(value: string): this {
    return this.buffer(Buffer.from(value, "utf8"))
  }

  texts(values: ReadonlyArray<string>): this {
    this.int(values.length)
    for (const value of values) this.text(value)
    return this
  }

  openAcl(): this {
    return this.int(1).int(31).text("world").text("anyone")
  }

  frame(): Buffer {
    const body = Buffer.concat(this.parts)
    const out = Buffer.alloc(4 + body.length)
    out.writeInt32BE(body.length)
    body.copy(out, 4)
    return out
  }
}

export class Reader {
  private readonly bytes: Buffer
  private at = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  int(): number {
    this.at += 4
    return this.bytes.readInt32BE(this.at - 4)
  }

  long(): bigint {
    this.at += 8
    return this.bytes.readBigInt64BE(this.at - 8)
  }

  /** A long that is a zxid or a time: both are exact as a number. */
  exact(): number {
    return Number(this.long())
  }

  bool(): boolean {
    return this.bytes[this.at++] !== 0
  }

  buffer(): Buffer {
    return this.nullable() ?? Buffer.alloc(0)
  }

  /** Null is told from empty. */
  nullable(): Buffer | null {
    const length = this.int()
    if (length < 0) return null
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  text(): string {
    return this.buffer().toString("utf8")
  }

  texts(): Array<string> {
    return Array.from({ length: Math.max(0, this.int()) }, () => this.text())
  }

  stat(): Stat {
    return {
      czxid: this.exact(),
      mzxid: this.exact(),
      ctime: this.exact(),
      mtime: this.exact(),
      version: this.int(),
      cversion: this.int(),
      aversion: this.int(),
      ephemeralOwner: this.long(),
      dataLength: this.int(),
      numChildren: this.int(),
      pzxid: this.exact()
    }
  }

  rest(): Buffer {
    return this.bytes.subarray(this.at)
  }
}

export const Op = {
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getChildren: 8,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  setWatches: 101,
  addWatch: 106,
  close: -11
} as const

export const Err = { ok: 0, noNode: -101, badVersion: -103, nodeExists: -110 } as const

/** The epoch half of a zxid. */
export const epochOf = (zxid: number): number => Math.floor(zxid / 2 ** 32)
