/** The four-letter words: an operator's questions, asked on the client port before anything else. */
import type { Stats } from "@zkmesh/messages"
import { type Client, Phase } from "./Client.ts"
import type { Frontend } from "./Frontend.ts"
import type { Peer } from "./Peer.ts"
import {
  connectionLine,
  dumpText,
  environmentText,
  monitorText,
  serverText,
  sessionsByWatch,
  sessionsWatching,
  watchSummary
} from "./texts.ts"
import { answerTraceLine, LineReader } from "./tracing/TraceWord.ts"

const NOT_SERVING = "This ZooKeeper instance is not currently serving requests\n"
const ANSWER_WITHIN_MS = 3000

type Question = "stats" | "watches" | "sessions"
/** What a word prints, given what its peer has answered to the questions that it needs. */
interface Word {
  readonly asks: ReadonlyArray<Question>
  readonly print: (frontend: Frontend, peer: Peer, answers: Readonly<Record<Question, Stats>>, client: Client) => string
}

const WORDS: Readonly<Record<string, Word>> = {
  srvr: { asks: ["stats"], print: (frontend, peer, { stats }) => serverText(frontend, peer, stats, undefined) },
  stat: {
    asks: ["stats"],
    print: (frontend, peer, { stats }) => {
      const lines = [...frontend.clients.values()].map((client) => connectionLine(client, false))
      return serverText(frontend, peer, stats, `Clients:\n${lines.join("")}\n`)
    }
  },
  mntr: { asks: ["stats"], print: (frontend, peer, { stats }) => monitorText(frontend, peer, stats) },
  cons: {
    asks: [],
    print: (frontend) => `${[...frontend.clients.values()].map((client) => connectionLine(client, true)).join("")}\n`
  },
  conf: {
    asks: [],
    print: ({ settings }) => settings.configuration.map(([key, value]) => `${key}=${value}\n`).join("")
  },
  wchs: { asks: ["watches"], print: (_frontend, _peer, { watches }) => watchSummary(watches) },
  wchc: { asks: ["watches"], print: (_frontend, _peer, { watches }) => sessionsWatching(watches) },
  wchp: { asks: ["watches"], print: (_frontend, _peer, { watches }) => sessionsByWatch(watches) },
  dump: { asks: ["sessions"], print: (frontend, _peer, { sessions }) => dumpText(frontend, sessions) },
  dirs: {
    asks: ["stats"],
    print: (_frontend, _peer, { stats }) =>
      `datadir_size: ${Number(stats["data_dir_size"] ?? 0)}\nlogdir_size: ${Number(stats["log_dir_size"] ?? 0)}\n`
  },
  crst: {
    asks: [],
    print: (frontend) => {
      for (const client of frontend.clients.values()) client.resetStatistics()
      return "Connection stats reset.\n"
    }
  },
  srst: {
    asks: [],
    print: (frontend) => {
      frontend.statistics.reset()
      return "Server stats reset.\n"
    }
  }
}

/** Answered by a server that serves nobody, too. */
const ALWAYS: Readonly<Record<string, (frontend: Frontend) => string>> = {
  ruok: () => "imok",
  isro: (frontend) => (settled(frontend) === undefined ? "null" : "rw"),
  envi: environmentText
}

/** The peer to speak for. One that is between two leaders keeps its clients, but has no mode that it could tell. */
const settled = (frontend: Frontend): Peer | undefined =>
  frontend.peers.find(({ status }) => status.serving && status.role !== "looking")

/** The one word that has a line behind it. */
const TRACE = "trac"

/** The word that a frame's length is, if it is one. */
const wordOf = (length: number): string | undefined => {
  const word = String.fromCharCode((length >>> 24) & 0xff, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff)
  return Object.hasOwn(WORDS, word) || Object.hasOwn(ALWAYS, word) || word === TRACE ? word : undefined
}

export class FourLetterWords {
  private readonly frontend: Frontend

  constructor(frontend: Frontend) {
    this.frontend = frontend
  }

  /** Takes the first four bytes of a connection; false if they are no word that we know. */
  answer(client: Client, length: number): boolean {
    const word = wordOf(length)
    if (word === undefined) return false
    client.phase = Phase.Word
    const { fourLetterWords } = this.frontend.settings
    // srvr is always allowed: zkServer.sh and health checks rely on it.
    if (fourLetterWords !== "*" && word !== "srvr" && !fourLetterWords.includes(word)) {
      this.end(client, `${word} is not executed because it is not in the whitelist.\n`)
    } else if (word === TRACE) this.trace(client)
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

  private ask(client: Client, word: Word): void {
    const { frontend } = this
    const peer = settled(frontend)
    if (peer === undefined) {
      this.end(client, NOT_SERVING)
      return
    }
    const answers: Record<Question, Stats> = { stats: {}, watches: {}, sessions: {} }
    const print = () => this.end(client, word.print(frontend, peer, answers, client))
    const [question] = word.asks
    if (question === undefined) {
      print()
      return
    }
    peer.ask(question, frontend.now() + ANSWER_WITHIN_MS, (stats) => {
      if (stats === undefined) this.end(client, NOT_SERVING)
      else {
        answers[question] = stats
        print()
      }
    })
  }

  private end(client: Client, text: string): void {
    if (client.phase === Phase.Word) client.socket.end(text)
  }
}
