/** Frames of the client protocol made by hand: the load generator must cost next to nothing beside the servers. */

const ACL_ANYONE = Buffer.concat([int(1), int(31), text("world"), text("anyone")])

export const connectFrame = (timeoutMs: number): Buffer =>
  frame(int(0), Buffer.alloc(8), int(timeoutMs), Buffer.alloc(8), buffer(Buffer.alloc(16)))

export const createFrame = (path: string, data: Buffer, flags: number): Buffer =>
  request(1, text(path), buffer(data), ACL_ANYONE, int(flags))

export const deleteFrame = (path: string): Buffer => request(2, text(path), int(-1))

export const getDataFrame = (path: string): Buffer => request(4, text(path), Buffer.of(0))

export const setDataFrame = (path: string, data: Buffer): Buffer => request(5, text(path), buffer(data), int(-1))

export const syncFrame = (path: string): Buffer => request(9, text(path))

export const closeFrame = (): Buffer => request(-11)

/** Where a request's xid is in its frame. */
export const XID_OFFSET = 4

const request = (op: number, ...parts: ReadonlyArray<Buffer>): Buffer => frame(int(0), int(op), ...parts)

function frame(...parts: ReadonlyArray<Buffer>): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([int(body.length), body])
}

function int(value: number): Buffer {
  const out = Buffer.alloc(4)
  out.writeInt32BE(value)
  return out
}

function buffer(bytes: Buffer): Buffer {
  return Buffer.concat([int(bytes.length), bytes])
}

function text(value: string): Buffer {
  return buffer(Buffer.from(value, "utf8"))
}
