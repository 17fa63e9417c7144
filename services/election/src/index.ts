export { type ElectionServiceOptions, runElection } from "./Election.ts"
