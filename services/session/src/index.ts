export { runSession, type SessionServiceOptions } from "./Session.ts"
