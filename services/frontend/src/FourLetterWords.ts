/** The four-letter words: an operator's questions, asked on the client port before anything else. */
import type { FrontendToSession, Stats } from "@zkmesh/messages"
import { type Client, Phase } from "./Client.ts"
import type { Frontend } from "./Frontend.ts"
import { configurationText, digestsText, monitorText, serverText, sizesText } from "./operator/serverTexts.ts"
import type { Peer } from "./Peer.ts"
import { connectionLine, dumpText, environmentText, sessionsByWatch, sessionsWatching, watchSummary } from "./texts.ts"
import { answerTraceLine, LineReader } from "./tracing/TraceWord.ts"

const NOT_SERVING = "This ZooKeeper instance is not currently serving requests\n"
const ANSWER_WITHIN_MS = 3000

type Question = Extract<FrontendToSession, { _tag: "Query" }>["name"]
/** What a word prints, given what its peer has answered to the questions that it needs. */
interface Word {
  readonly asks: Question | undefined
  readonly print: (frontend: Frontend, peer: Peer, answer: Stats) => string
}

const WORDS: Readonly<Record<string, Word>> = {
  srvr: { asks: "stats", print: ({ server }, peer, stats) => serverText(server, peer, stats, undefined) },
  stat: {
    asks: "stats",
    print: ({ server }, peer, stats) => {
      const lines = server.clients.map((client) => connectionLine(client, false))
      return serverText(server, peer, stats, `Clients:\n${lines.join("")}\n`)
    }
  },
  mntr: { asks: "stats", print: ({ server }, peer, stats) => monitorText(server, peer, stats) },
  cons: {
    asks: undefined,
    print: ({ server }) => `${server.clients.map((client) => connectionLine(client, true)).join("")}\n`
  },
  conf: { asks: "stats", print: ({ configuration }, _peer, stats) => configurationText(configuration, stats) },
  wchs: { asks: "watches", print: (_frontend, _peer, watches) => watchSummary(watches) },
  wchc: { asks: "watches", print: (_frontend, _peer, watches) => sessionsWatching(watches) },
  wchp: { asks: "watches", print: (_frontend, _peer, watches) => sessionsByWatch(watches) },
  dump: { asks: "sessions", print: (frontend, _peer, sessions) => dumpText(frontend, sessions) },
  dirs: { asks: "stats", print: (_frontend, _peer, stats) => sizesText(stats) },
  hash: { asks: "digests", print: (_frontend, _peer, digests) => digestsText(digests) },
  crst: {
    asks: undefined,
    print: ({ server }) => {
      for (const client of server.clients) client.resetStatistics()
      return "Connection stats reset.\n"
    }
  },
  srst: {
    // The peer's own figures begin anew, too.
    asks: "reset",
    print: ({ server }) => {
      server.reset()
      return "Server stats reset.\n"
    }
  }
}

/** Answered by a server that serves nobody, too. */
const ALWAYS: Readonly<Record<string, (frontend: Frontend) => string>> = {
  ruok: () => "imok",
  isro: (frontend) => {
    const peer = frontend.peers.settled()
    return peer === undefined ? "null" : peer.status.readOnly === true ? "ro" : "rw"
  },
  envi: environmentText,
  gtmk: ({ server }) => `${server.traceMask}`
}

/** The word that has a line behind it, and the one with eight bytes. */
const TRACE = "trac"
const SET_MASK = "stmk"
const MASK_BYTES = 8
/** A telnet client's way to hang up. */
const TELNET_CLOSE = 0xfff4fffd | 0

/** The word that a frame's length is, if it is one. */
const wordOf = (length: number): string | undefined => {
  const word = String.fromCharCode((length >>> 24) & 0xff, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff)
  return Object.hasOwn(WORDS, word) || Object.hasOwn(ALWAYS, word) || word === TRACE || word === SET_MASK
    ? word
    : undefined
}

export class FourLetterWords {
  private readonly frontend: Frontend

  constructor(frontend: Frontend) {
    this.frontend = frontend
  }

  /** Takes the first four bytes of a connection; false if they are no word that we know. */
  answer(client: Client, length: number): boolean {
    if (length === TELNET_CLOSE) {
      client.socket.destroy()
      return true
    }
    const word = wordOf(length)
    if (word === undefined) return false
    client.phase = Phase.Word
    const { fourLetterWords } = this.frontend.settings
    // srvr is always allowed: zkServer.sh and health checks rely on it.
    if (fourLetterWords !== "*" && word !== "srvr" && !fourLetterWords.includes(word)) {
      this.end(client, `${word} is not executed because it is not in the whitelist.\n`)
    } else if (word === TRACE) this.trace(client)
    else if (word === SET_MASK) this.setMask(client)
    else if (Object.hasOwn(ALWAYS, word)) this.end(client, ALWAYS[word]!(this.frontend))
    else this.ask(client, WORDS[word]!)
    return true
  }

  private trace(client: Client): void {
    const { frontend } = this
    client.line = new LineReader((line) => {
      const failed = (cause: unknown) => frontend.failed(cause)
      answerTraceLine(frontend.telemetry, line).then((text) => this.end(client, text), failed)
    })
    client.line.push(client.splitter.rest())
  }

  private setMask(client: Client): void {
    const { server } = this.frontend
    let bytes = Buffer.alloc(0)
    client.line = {
      push: (more) => {
        bytes = Buffer.concat([bytes, more])
        if (bytes.length < MASK_BYTES) return
        server.traceMask = bytes.readBigInt64BE()
        this.end(client, `${server.traceMask}`)
      },
      end: () => this.end(client, "")
    }
    client.line.push(client.splitter.rest())
  }

  private ask(client: Client, word: Word): void {
    const { frontend } = this
    const peer = frontend.peers.settled()
    if (peer === undefined) {
      this.end(client, NOT_SERVING)
      return
    }
    if (word.asks === undefined) {
      this.end(client, word.print(frontend, peer, {}))
      return
    }
    peer.ask(word.asks, frontend.now() + ANSWER_WITHIN_MS, (stats) =>
      this.end(client, stats === undefined ? NOT_SERVING : word.print(frontend, peer, stats))
    )
  }

  private end(client: Client, text: string): void {
    if (client.phase === Phase.Word) client.socket.end(text)
  }
}
