/** SASL's DIGEST-MD5 (RFC 2831), both ends, without I/O or chance: nonces are arguments. */
export { type Answer, DigestClient, type DigestClientOptions } from "./client.ts"
export { type Directives, formatDirectives, parseDirectives, SaslError } from "./directives.ts"
export { DigestServer, type DigestServerOptions, type Verdict } from "./server.ts"
