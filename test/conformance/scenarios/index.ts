import type { Scenario } from "../play.ts"
import { acls } from "./acls.ts"
import { auths } from "./auth.ts"
import { creates } from "./creates.ts"
import { frames, strangeFrames } from "./frames.ts"
import { multis, strangeMultis } from "./multis.ts"
import { nodes } from "./nodes.ts"
import { quotas } from "./quotas.ts"
import { sessions } from "./sessions.ts"
import { containers, system } from "./system.ts"
import { watches } from "./watches.ts"

/** The script. The system's own znodes come first, as they are before anybody has touched them. */
export const scenarios: ReadonlyArray<Scenario> = [
  ...system,
  ...creates,
  ...nodes,
  ...acls,
  ...auths,
  ...multis,
  ...watches,
  ...quotas,
  ...sessions,
  ...frames,
  // What these leave behind is not the same everywhere.
  ...containers,
  ...strangeMultis,
  ...strangeFrames
]
