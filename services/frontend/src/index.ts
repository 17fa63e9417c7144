export type { FrontendTls } from "./door.ts"
export { runFrontend } from "./Frontend.ts"
export { FrontendError, type FrontendOptions } from "./options.ts"
