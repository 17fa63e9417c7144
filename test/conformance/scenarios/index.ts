import type { Scenario } from "../play.ts"
import { creates } from "./creates.ts"
import { nodes } from "./nodes.ts"

/** The script. */
export const scenarios: ReadonlyArray<Scenario> = [...creates, ...nodes]
