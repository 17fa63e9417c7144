/** One configuration for every placement: zoo.cfg, environment variables over it, flags over both. */
export { describe, describeMarkdown, describeText } from "./describe.ts"
export { ConfigError } from "./errors.ts"
export { type KnobKey, Knobs } from "./knobs.ts"
export {
  type Config,
  loadConfig,
  observesInMemory,
  postgresUrlOf,
  readConfig,
  type Sources,
  sessionTimeouts
} from "./load.ts"
export { MalformedEscape, type Property, parseProperties } from "./properties.ts"
export { formatServer, MAX_SID, parseServer, type Server } from "./servers.ts"
export type { Entry, Environment } from "./sources.ts"
