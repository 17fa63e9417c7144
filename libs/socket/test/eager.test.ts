import { once } from "node:events"
import { createServer, type Server, type Socket } from "node:net"
import { afterEach, expect, it } from "vitest"
import { eagerSocket } from "../src/index.ts"

let server: Server | undefined

afterEach(() => {
  server?.close()
})

const listen = async (made: Server): Promise<number> => {
  server = made.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("not listening")
  return address.port
}

const connected = async (port: number): Promise<Socket> => {
  const socket = eagerSocket()
  socket.connect(port, "127.0.0.1")
  await once(socket, "connect")
  return socket
}

it("tells of everything in order, in chunks that stay as they were", async () => {
  const sent = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff))
  const port = await listen(createServer((peer) => peer.end(sent)))
  const socket = await connected(port)
  const chunks: Array<Buffer> = []
  socket.on("data", (chunk) => chunks.push(chunk))
  await once(socket, "close")
  expect(chunks.length).toBeGreaterThan(1)
  expect(Buffer.concat(chunks).equals(sent)).toBe(true)
})

it("tells nothing while it is paused", async () => {
  const port = await listen(createServer((peer) => peer.pipe(peer)))
  const socket = await connected(port)
  const heard: Array<string> = []
  socket.on("data", (chunk) => heard.push(String(chunk)))
  socket.write("a")
  await once(socket, "data")
  socket.pause()
  socket.write("b")
  // A second connection goes to the server and back, which the first one's byte has then done too.
  const other = await connected(port)
  other.write("x")
  await once(other, "data")
  other.destroy()
  expect(heard).toEqual(["a"])
  socket.resume()
  if (heard.length < 2) await once(socket, "data")
  expect(heard).toEqual(["a", "b"])
  socket.destroy()
})

it("ends with the error of its connection", async () => {
  const port = await listen(createServer((peer) => peer.resetAndDestroy()))
  const socket = eagerSocket()
  socket.on("data", () => {})
  socket.connect(port, "127.0.0.1")
  const [error] = await once(socket, "error")
  expect(error).toMatchObject({ code: "ECONNRESET" })
})
