import { Stage, type Step } from "./stage.ts"

export type Release = "3.8" | "3.9"

/** What cannot be played to one release of ZooKeeper, and why. */
export interface Skipped {
  readonly release: Release
  readonly reason: string
}

/** A part of the script, with sessions and znodes of its own. */
export interface Scenario {
  /** Also the name of the znode that it may use. */
  readonly name: string
  readonly play: (stage: Stage) => Promise<void>
  readonly skippedBy?: Skipped
}

/** Plays the whole script to the server at `port`. */
export const play = async (port: number, scenarios: ReadonlyArray<Scenario>): Promise<ReadonlyArray<Step>> => {
  const stage = new Stage(port)
  for (const scenario of scenarios) {
    stage.begin(scenario.name)
    try {
      await scenario.play(stage)
      await stage.end()
    } catch (cause) {
      throw new Error(`${scenario.name}, after ${stage.steps.at(-1)?.step}, at port ${port}: ${cause}`, { cause })
    }
  }
  return stage.steps
}
