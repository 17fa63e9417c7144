import { digest, type Secrets } from "./digest.ts"
import { formatDirectives, parseDirectives, SaslError } from "./directives.ts"

export interface DigestClientOptions {
  readonly username: string
  readonly password: string
  /** Whom the client means to speak to. */
  readonly service: string
  readonly host: string
  /** Printable, and never the same twice. */
  readonly cnonce: string
}

/** What the client says next; undefined once the server has proved that it knows the password too. */
export type Answer = Uint8Array | undefined

const NOTHING = new Uint8Array(0)

/** The client's end of one exchange. */
export class DigestClient {
  private readonly options: DigestClientOptions
  private secrets: Secrets | undefined

  constructor(options: DigestClientOptions) {
    this.options = options
  }

  /** The first token: there is nothing to say before the challenge. */
  begin(): Uint8Array {
    return NOTHING
  }

  /** Takes the server's next token. Throws SaslError: the server is not to be trusted then. */
  step(token: Uint8Array): Answer {
    return this.secrets === undefined ? this.answer(token) : this.verify(token, this.secrets)
  }

  private answer(token: Uint8Array): Uint8Array {
    const { username, password, service, host, cnonce } = this.options
    const challenge = parseDirectives(token)
    const nonce = challenge.get("nonce")
    if (nonce === undefined || nonce === "") throw new SaslError("a challenge without a nonce")
    if (challenge.get("algorithm") !== "md5-sess") throw new SaslError("a challenge of another algorithm")
    const offered = (challenge.get("qop") ?? "auth").split(/[\s,]+/)
    if (!offered.includes("auth")) throw new SaslError("the server does not offer qop=auth")
    const realm = challenge.get("realm") ?? ""
    const digestUri = `${service}/${host}`
    const secrets = { username, realm, password, nonce, cnonce, nc: "00000001", digestUri, authzid: undefined }
    this.secrets = secrets
    return formatDirectives([
      ["charset", "utf-8", "bare"],
      ["username", username],
      ["realm", realm],
      ["nonce", nonce],
      ["nc", secrets.nc, "bare"],
      ["cnonce", cnonce],
      ["digest-uri", digestUri],
      ["response", digest(secrets, "client"), "bare"],
      ["qop", "auth", "bare"]
    ])
  }

  private verify(token: Uint8Array, secrets: Secrets): undefined {
    if (parseDirectives(token).get("rspauth") !== digest(secrets, "server")) {
      throw new SaslError("the server does not know the password")
    }
    return undefined
  }
}
