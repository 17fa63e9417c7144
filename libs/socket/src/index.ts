/** Sockets for connections that carry many small messages: the broker's and the database's. */
import { Socket } from "node:net"

const READ_BYTES = 65_536

/**
 * A socket, not yet connected, that reads into one buffer of its own and tells `data` of a copy of what came.
 *
 * Without that Node allocates 64 KiB for each read, cuts them down to what came and passes it through a stream's queue,
 * which for a message of a few hundred bytes costs more than the copy and everything that is done with it. Who listens to
 * `data` takes all of it: nothing can be read from the socket as from a stream. Source: `onread` of Node's net.Socket.
 */
export const eagerSocket = (): Socket => {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  const socket: Socket = new Socket({
    onread: {
      buffer,
      callback: (bytes) => {
        socket.emit("data", Buffer.from(buffer.subarray(0, bytes)))
        return true
      }
    }
  })
  return socket
}
