/** `trace <command>`: runs a command, and shows the way of each of its requests through the services. */

import type { ConnectionOptions } from "node:tls"
import type { ZkClient } from "@zkmesh/client"
import { CommandFailed } from "../command.ts"
import { askForTraces } from "./ask.ts"
import { waterfall } from "./waterfall.ts"

/** Peers may apply what has been answered already, and a rare request may take its time. */
const SETTLE_MS = 150
const SECONDS = 120

export interface TraceOptions {
  readonly client: ZkClient
  readonly tls: ConnectionOptions | undefined
  readonly print: (text: string) => void
  readonly note: (text: string) => void
}

/** Runs `command` with the session traced; prints a waterfall for each request that it made. */
export const traced = async <A>({ client, tls, print, note }: TraceOptions, command: () => Promise<A>): Promise<A> => {
  const { server, sessionId } = client
  if (server === undefined) {
    note("Not connected")
    throw new CommandFailed()
  }
  const from = { server, tls }
  const { at = 0 } = await askForTraces(from, `session ${sessionId} ${SECONDS}`, note)
  try {
    return await command()
  } finally {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    const { spans = [] } = await askForTraces(from, `show ${sessionId}`, note)
    await askForTraces(from, `session ${sessionId} 0`, note)
    const roots = spans
      .filter(
        (span) => span.parentId === "" && span.start >= at && span.attributes["zookeeper.session.id"] === sessionId
      )
      // Its watches and its end have traces of their own, without an operation.
      .filter(({ attributes }) => attributes["zookeeper.op"] !== undefined && attributes["zookeeper.op"] !== "ping")
      .sort((a, b) => a.start - b.start)
    if (roots.length === 0) note("No request was made")
    for (const root of roots) print(`\n${waterfall(root, spans)}`)
  }
}
