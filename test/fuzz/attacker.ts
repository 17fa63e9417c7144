import { connect, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"
import { DigestClient, SaslError } from "@zkmesh/sasl"
import { brokenTls, garbage, hello, mutated, request, saslRequest } from "./frames.ts"
import { Random } from "./random.ts"

export interface Attack {
  readonly ports: ReadonlyArray<number>
  /** Where its nodes are, so far as its paths still make sense. */
  readonly root: string
  readonly seed: number
  /** The ports take TLS as well. */
  readonly takesTls: boolean
}

/** What came of one connection. */
export interface Outcome {
  readonly frames: number
  readonly bytes: number
  readonly replies: number
  readonly hadSession: boolean
  readonly isSecure: boolean
}

/** Nothing keeps a connection for longer: a server that neither answers nor closes is left behind. */
const PATIENCE_MS = 1500

/** One connection from its first byte to its end, all of it decided by the seed. */
export async function attack({ ports, root, seed, takesTls }: Attack): Promise<Outcome> {
  const random = new Random(seed)
  const isSecure = takesTls && random.chance(25)
  const victim = new Victim(random.pick(ports), isSecure)
  if (!(await victim.opened)) throw new Error(`a server takes no connection${isSecure ? " by TLS" : ""}`)
  if (takesTls && !isSecure && random.chance(10)) {
    for (let left = 1 + random.below(4); left > 0; left--) victim.send(random, brokenTls(random))
    await victim.leave(random.below(3))
    return { frames: 0, bytes: victim.sent, replies: victim.replies, hadSession: false, isSecure }
  }
  const greeting = hello(random)
  const isWell = random.chance(85)
  victim.send(random, isWell ? greeting : random.chance(50) ? mutated(random, greeting) : garbage(random, 0))
  const hadSession = isWell && (await victim.answered(1))
  if (hadSession && random.chance(20)) await prove(random, victim)
  const frames = random.chance(10) ? 200 : 1 + random.below(40)
  const deaf = random.chance(10)
  if (deaf) victim.socket.pause()
  let sent = 0
  for (; sent < frames && !victim.closed; sent++) {
    const kind = random.below(100)
    const good = request(random, root, sent + 1)
    victim.send(random, kind < 35 ? good : kind < 80 ? mutated(random, good) : garbage(random, sent + 1))
    if (random.chance(10)) await victim.answered(victim.replies + 1)
  }
  if (random.chance(50)) await victim.answered(victim.replies + 1)
  victim.socket.resume()
  await victim.leave(random.below(3))
  return { frames: sent, bytes: victim.sent, replies: victim.replies, hadSession, isSecure }
}

/** DIGEST-MD5 as it should be up to the last token, which may go wrong, or be said again. */
async function prove(random: Random, victim: Victim): Promise<void> {
  const client = new DigestClient({
    username: random.pick(["user", "nobody", ""]),
    password: random.pick(["secret", "wrong"]),
    service: "zookeeper",
    host: "zk-sasl-md5",
    cnonce: random.bytes(8).toString("hex")
  })
  victim.send(random, saslRequest(0, client.begin()))
  if (!(await victim.answered(victim.replies + 1))) return
  const token = victim.saslToken()
  if (token === undefined) return
  try {
    const answer = client.step(token) ?? new Uint8Array(0)
    const frame = saslRequest(0, answer)
    for (let left = 1 + random.below(3); left > 0; left--) {
      victim.send(random, random.chance(60) ? frame : mutated(random, frame))
    }
  } catch (error) {
    // An earlier answer was taken for the challenge: nothing that this client knows how to go on with.
    if (!(error instanceof SaslError)) throw error
  }
}

/** The other end of an attacker's connection. */
class Victim {
  readonly socket: Socket
  private readonly tcp: Socket
  readonly opened: Promise<boolean>
  readonly end: Promise<void>
  closed = false
  /** Chunks that came back: a reply or more each. */
  replies = 0
  sent = 0
  private lastChunk: Buffer = Buffer.alloc(0)
  private wake: () => void = () => undefined

  constructor(port: number, isSecure: boolean) {
    this.tcp = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true })
    // Whose certificate it is does not matter to an attacker.
    this.socket = isSecure ? connectTls({ socket: this.tcp, rejectUnauthorized: false }) : this.tcp
    this.opened = new Promise((resolve) => {
      this.socket.once(isSecure ? "secureConnect" : "connect", () => resolve(true))
      this.socket.once("close", () => resolve(false))
    })
    this.tcp.on("error", () => undefined)
    this.socket.on("data", (chunk: Buffer) => {
      this.replies++
      this.lastChunk = chunk
      this.wake()
    })
    // A reset is a legitimate answer to nonsense; "close" follows it.
    this.socket.on("error", () => undefined)
    this.socket.on("end", () => this.finish())
    this.end = new Promise((resolve) =>
      this.socket.once("close", () => {
        this.finish()
        resolve()
      })
    )
  }

  private finish(): void {
    this.closed = true
    this.wake()
  }

  /** In one piece, or in several that arrive on their own. */
  send(random: Random, bytes: Buffer): void {
    if (this.closed) return
    this.sent += bytes.length
    for (let at = 0; at < bytes.length; ) {
      const end = random.chance(80) ? bytes.length : Math.min(bytes.length, at + 1 + random.below(20))
      this.socket.write(bytes.subarray(at, end))
      at = end
    }
  }

  /** Whether so many chunks have come before the connection closed, or the patience was over. */
  async answered(count: number): Promise<boolean> {
    const until = performance.now() + PATIENCE_MS
    while (this.replies < count && !this.closed) {
      const left = until - performance.now()
      if (left <= 0 || this.socket.isPaused()) return false
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    return this.replies >= count
  }

  /** The token of a SASL reply: behind the length and the header of 16 bytes. */
  saslToken(): Buffer | undefined {
    const chunk = this.lastChunk
    if (chunk.length < 24) return undefined
    const length = chunk.readInt32BE(20)
    return length < 0 || 24 + length > chunk.length ? undefined : chunk.subarray(24, 24 + length)
  }

  /** A reset, a farewell, or waiting for the server to close. */
  async leave(how: number): Promise<void> {
    if (how === 0) this.tcp.resetAndDestroy()
    else this.socket.end()
    const timer = setTimeout(() => this.socket.destroy(), how === 1 ? 50 : PATIENCE_MS)
    await this.end
    clearTimeout(timer)
  }
}
