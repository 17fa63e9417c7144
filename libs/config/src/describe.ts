import * as SchemaAST from "effect/SchemaAST"
import { IGNORED } from "./foreign.ts"
import { type About, Knobs } from "./knobs.ts"
import { variableOf } from "./sources.ts"

export interface Described extends About {
  readonly key: string
  readonly variable: string
  readonly default: string | undefined
}

/** Every knob with what the schema says about it, in the schema's order. */
export const describe = (): ReadonlyArray<Described> =>
  Object.entries(Knobs.fields).map(([key, field]) => {
    const about = SchemaAST.resolveAt<About & { readonly default: string | undefined }>("~zkmesh/knob")(field.ast)
    if (about === undefined) throw new Error(`knob ${key} is not described`)
    return { key, variable: variableOf(key), ...about }
  })

const shownDefault = (knob: Described): string => knob.default ?? `(${knob.otherwise ?? "none"})`

/** The table as Markdown, for documentation. */
export const describeMarkdown = (): string =>
  [
    "| key | unit | default | meaning | from |",
    "| --- | --- | --- | --- | --- |",
    "| `server.N` | host:port:port[:role][;[host:]port] | none | one peer of the ensemble | zookeeper |",
    "| `group.N` | N:N… | none | a group of voters: quorums are then majorities of groups | zookeeper |",
    "| `weight.N` | votes | 1 | what voter N counts in its group; 0: nothing | zookeeper |",
    "| `postgres.url.N` | URL | postgres.url | peer N's own database | zkmesh |",
    ...describe().map(
      (knob) => `| \`${knob.key}\` | ${knob.unit} | ${shownDefault(knob)} | ${knob.meaning} | ${knob.origin} |`
    )
  ].join("\n")

/** The table for a terminal. */
export const describeText = (): string => {
  const lines = [
    "Keys of zoo.cfg. Each is also an environment variable: ZKMESH_ and the key in capitals, dots as _",
    "(tickTime: ZKMESH_TICKTIME). A variable is stronger than the file, a flag stronger than both.",
    "",
    "  server.N = host:quorumPort:electionPort[:participant|observer][;[clientHost:]clientPort]",
    "  group.N = N[:N…], weight.N = votes of a voter",
    "  postgres.url.N = URL of peer N's own database"
  ]
  const titles = {
    zookeeper: "As in ZooKeeper",
    mapped: "ZooKeeper's, with a near meaning",
    zkmesh: "Of zkmesh"
  } as const
  for (const [origin, title] of Object.entries(titles)) {
    lines.push("", `${title}:`)
    for (const knob of describe().filter((one) => one.origin === origin)) {
      lines.push(`  ${knob.key} (${knob.unit}; ${shownDefault(knob)})`, `      ${knob.meaning}`)
    }
  }
  lines.push("", "Accepted without effect, as each says once in the log:")
  for (const { why, keys } of IGNORED) lines.push(`  ${why}:`, `      ${keys.join(" ")}`)
  return lines.join("\n")
}
