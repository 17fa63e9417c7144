export * from "./constants.ts"
