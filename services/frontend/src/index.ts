export type { FrontendTls } from "./door.ts"
export { runFrontend } from "./Frontend.ts"
export type { Limits } from "./limits/options.ts"
export { FrontendError, type FrontendOptions } from "./options.ts"
