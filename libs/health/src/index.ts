export * from "./health.ts"
