import { timingSafeEqual } from "node:crypto"
import { digest, type Secrets } from "./digest.ts"
import { type Directives, formatDirectives, parseDirectives, SaslError } from "./directives.ts"

export interface DigestServerOptions {
  /** What is served, and where: together they are what a client says it has come to. */
  readonly service: string
  readonly host: string
  readonly realm: string
  /** Printable, and never the same twice. */
  readonly nonce: string
  readonly passwordOf: (user: string) => string | undefined
}

export type Verdict =
  | { readonly _tag: "Challenge"; readonly token: Uint8Array }
  /** The client is `user`, and is told that we know the password as well. */
  | { readonly _tag: "Proved"; readonly user: string; readonly token: Uint8Array }

/** The server's end of one exchange. */
export class DigestServer {
  private readonly options: DigestServerOptions
  private challenged = false
  private done = false

  constructor(options: DigestServerOptions) {
    this.options = options
  }

  /** Takes the client's next token. Throws SaslError: the exchange is over then, and the client is nobody. */
  step(token: Uint8Array): Verdict {
    if (this.done) throw new SaslError("the exchange is over")
    if (!this.challenged) {
      if (token.length > 0) throw new SaslError("an answer before the challenge")
      this.challenged = true
      return { _tag: "Challenge", token: this.challenge() }
    }
    this.done = true
    return this.judge(parseDirectives(token))
  }

  private challenge(): Uint8Array {
    const { realm, nonce } = this.options
    return formatDirectives([
      ["realm", realm],
      ["nonce", nonce],
      ["qop", "auth"],
      ["charset", "utf-8", "bare"],
      ["algorithm", "md5-sess", "bare"]
    ])
  }

  private judge(answer: Directives): Verdict {
    const { nonce, realm, passwordOf } = this.options
    const username = needed(answer, "username")
    const cnonce = needed(answer, "cnonce")
    const digestUri = needed(answer, "digest-uri")
    if (needed(answer, "nonce") !== nonce) throw new SaslError("the nonce is another's")
    if (needed(answer, "nc") !== "00000001") throw new SaslError("the nonce is used again")
    if ((answer.get("qop") ?? "auth") !== "auth") throw new SaslError("only qop=auth is offered")
    if ((answer.get("charset") ?? "utf-8").toLowerCase() !== "utf-8") throw new SaslError("an unknown charset")
    if ((answer.get("realm") ?? "") !== realm) throw new SaslError("the realm is another's")
    if (!this.isOurs(digestUri)) throw new SaslError(`${digestUri} is somebody else`)
    const password = passwordOf(username)
    // Who is not known is refused no sooner than who has a wrong password.
    const secrets: Secrets = {
      username,
      realm,
      password: password ?? "",
      nonce,
      cnonce,
      nc: "00000001",
      digestUri,
      authzid: answer.get("authzid")
    }
    const right = isSame(digest(secrets, "client"), needed(answer, "response"))
    if (!right || password === undefined) throw new SaslError("a wrong name or password")
    const token = formatDirectives([["rspauth", digest(secrets, "server"), "bare"]])
    return { _tag: "Proved", user: username, token }
  }

  /** `service/host`, or `service/host/name`. */
  private isOurs(digestUri: string): boolean {
    const [service, host] = digestUri.toLowerCase().split("/")
    return service === this.options.service && host === this.options.host
  }
}

const needed = (answer: Directives, name: string): string => {
  const value = answer.get(name)
  if (value === undefined || value === "") throw new SaslError(`${name} is missing`)
  return value
}

const isSame = (a: string, b: string): boolean => {
  const [own, theirs] = [Buffer.from(a), Buffer.from(b)]
  return own.length === theirs.length && timingSafeEqual(own, theirs)
}
