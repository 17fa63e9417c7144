import { once } from "node:events"
import net from "node:net"
import tls from "node:tls"
import { FrameSplitter, JuteReader, JuteWriter, readRequestHeader, writeConnectResponse } from "@zkmesh/protocol"

const ISRO = Buffer.from("isro").readInt32BE(0)

/** A request as the script sees it, and what it may do about it: real servers never do the worst of it. */
export interface Exchange {
  /** Which connection of the server it came by: 1, 2, … */
  readonly connection: number
  readonly xid: number
  readonly op: number
  readonly reader: JuteReader
  /** Bytes to send, frames or not. */
  readonly send: (write: (writer: JuteWriter) => void) => void
}

export interface ScriptedServer {
  readonly address: string
  /** Ends every connection. */
  readonly cut: () => void
  readonly close: () => Promise<void>
}

/** A server that grants every session and leaves the rest to a script; a read-only one says so. */
export const startScripted = async (
  script: (exchange: Exchange) => void,
  secure?: tls.TlsOptions,
  readOnly = false
): Promise<ScriptedServer> => {
  const sockets = new Set<net.Socket>()
  let connections = 0
  const serve = (socket: net.Socket): void => {
    const connection = ++connections
    sockets.add(socket)
    const splitter = new FrameSplitter()
    const writer = new JuteWriter()
    const send = (write: (writer: JuteWriter) => void): void => {
      write(writer)
      socket.write(writer.take())
    }
    let greeted = false
    socket.on("data", (chunk) => {
      splitter.push(chunk)
      for (let found = splitter.next(); found !== "more"; found = splitter.next()) {
        if (found === "badLength") {
          // No length at all, but the four-letter word that asks what it is.
          socket.end(splitter.length === ISRO ? (readOnly ? "ro" : "rw") : "")
          return
        }
        const reader = new JuteReader(splitter.buffer, splitter.start, splitter.end)
        if (greeted) {
          const { xid, type } = readRequestHeader(reader)
          script({ connection, xid, op: type, reader, send })
          continue
        }
        greeted = true
        send((w) => {
          const at = w.beginFrame()
          writeConnectResponse(w, { timeoutMs: 10_000, sessionId: 77, password: new Uint8Array(16), readOnly })
          w.endFrame(at)
        })
      }
    })
    // The client may go as rudely as it likes.
    socket.on("error", () => socket.destroy())
    socket.on("close", () => sockets.delete(socket))
  }
  const server = secure === undefined ? net.createServer(serve) : tls.createServer(secure, serve)
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    address: `127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    cut,
    close: async () => {
      cut()
      server.close()
      await once(server, "close")
    }
  }
}
