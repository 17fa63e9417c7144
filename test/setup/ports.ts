import { connect, createServer } from "node:net"

/** Ports that nobody listens on. All are held until the last is known, so that no two are the same. */
export async function freePorts(count: number): Promise<Array<number>> {
  const held = await Promise.all(Array.from({ length: count }, listenAnywhere))
  await Promise.all(held.map((one) => one.close()))
  return held.map((one) => one.port)
}

/** The first of `count` neighbouring free ports. */
export async function freeRange(count: number): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const [first] = await freePorts(1)
    const all = await Promise.all(Array.from({ length: count }, (_, i) => isFree(first! + i)))
    if (all.every(Boolean)) return first!
  }
  throw new Error(`no ${count} neighbouring free ports found`)
}

/** Whether a TCP connection is taken at the port. */
export const isOpen = (port: number, host = "127.0.0.1"): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ port, host })
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })

function isFree(port: number): Promise<boolean> {
  if (port > 65_535) return Promise.resolve(false)
  return new Promise((resolve) => {
    const server = createServer()
    server.once("error", () => resolve(false))
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)))
  })
}

function listenAnywhere(): Promise<{ port: number; close: () => Promise<void> }> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      if (address === null || typeof address === "string") return reject(new Error("a TCP server has a port"))
      resolve({ port: address.port, close: () => new Promise((done) => server.close(() => done())) })
    })
  })
}
