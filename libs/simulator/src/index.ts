/**
 * The simulator: the product's own services, links and stores, an ensemble of them in one process on virtual time, from
 * one seed. The same seed gives the same run, to the digest.
 */
export * from "./cast.ts"
export { Violation } from "./checks/violation.ts"
export { sayFault } from "./faults.ts"
export type { Told } from "./observer.ts"
export { diagramOf, svgOf, terminalOf } from "./report/diagram.ts"
export { perform, type Result, shrink } from "./run.ts"
export { draw, type Fault, type FaultKind, type Schedule, type Shape } from "./schedule.ts"
export { World } from "./world.ts"
