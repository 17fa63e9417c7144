export { type Authentication, DEFAULT_AUTHENTICATION, type SaslUsers } from "./auth/options.ts"
export { houseCredentials } from "./auth/packet.ts"
export type { Frontend } from "./Frontend.ts"
export type { Limits } from "./limits/options.ts"
export { type Answered, type Frontends, frontendsOf } from "./operator/Frontends.ts"
export {
  digestsOf,
  figuresOf,
  lastZxid,
  peerState,
  proposalSizes,
  serverState,
  sizesOf,
  VERSION
} from "./operator/serverTexts.ts"
export { FrontendError, type FrontendOptions } from "./options.ts"
export { shortName } from "./requests.ts"
export { makeFrontend, runFrontend } from "./run.ts"
export { addressOf, environment } from "./texts.ts"
export { certificateIds } from "./tls/certificates.ts"
export { Entrance } from "./tls/Entrance.ts"
export { type FrontendTls, TlsError, type TlsMaterial, type TlsSource } from "./tls/options.ts"
export { readCertificates, renewing } from "./tls/renewal.ts"
