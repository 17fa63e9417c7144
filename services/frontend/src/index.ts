export { type Frontend, makeFrontend, runFrontend } from "./Frontend.ts"
export type { Limits } from "./limits/options.ts"
export { FrontendError, type FrontendOptions } from "./options.ts"
export { type FrontendTls, TlsError, type TlsMaterial, type TlsSource } from "./tls/options.ts"
