export * from "./election.ts"
