/**
 * What the services say to each other: one file per pair of neighbours, in the ring's order.
 *
 * In one process a message passes by reference, so a receiver never mutates one and a sender never touches memory again
 * that it has sent. Between processes `codecs*.ts` write the same shapes to bytes.
 */
export * from "./broadcast.ts"
export { CorruptMessage } from "./codecs.ts"
export * from "./common.ts"
export * from "./election.ts"
export * from "./frontend.ts"
export * from "./prepare.ts"
export * from "./protocols.ts"
export * from "./stream.ts"
export * from "./trace.ts"
