/** The knobs of a leader and its learners: whom a leader serves, and how learners find it and come up to date. */
import * as Schema from "effect/Schema"
import { knob, zookeeper } from "./knob.ts"

export const quorumKnobs = {
  leaderServes: knob(
    Schema.Literals(["yes", "no"]),
    "yes",
    zookeeper("choice", "no: while a peer leads, clients of its ports are served by others, as long as there are any")
  )
}
