/** Every metric of the product, declared once. Names are ZooKeeper's where ZooKeeper has them: dashboards know them. */
import { ABSENT } from "./absent.ts"
import { BROADCAST } from "./broadcast.ts"
import type { Declaration, Kind } from "./declare.ts"
import { FRONTEND } from "./frontend.ts"
import { ELECTION, PROCESS } from "./process.ts"
import { SESSION } from "./session.ts"
import { ZNODE } from "./znode.ts"

export const CATALOGUE = {
  ...FRONTEND,
  ...SESSION,
  ...ZNODE,
  ...BROADCAST,
  ...ELECTION,
  ...PROCESS,
  ...ABSENT
} as const satisfies Readonly<Record<string, Declaration>>

export type MetricName = keyof typeof CATALOGUE
/** The names of the metrics of one kind. */
export type NameOf<K extends Kind> = {
  [N in MetricName]: (typeof CATALOGUE)[N]["kind"] extends K ? N : never
}[MetricName]

/** Every name with its declaration, in the order of their declaration. */
export const declarations = (): ReadonlyArray<readonly [MetricName, Declaration]> => DECLARATIONS
const DECLARATIONS = Object.entries(CATALOGUE) as unknown as ReadonlyArray<readonly [MetricName, Declaration]>

export type { Declaration, Kind, Owner } from "./declare.ts"
