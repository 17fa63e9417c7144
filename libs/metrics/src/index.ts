export {
  CATALOGUE,
  type Declaration,
  declarations,
  type Kind,
  type MetricName,
  type NameOf,
  type Owner
} from "./catalogue/index.ts"
export * from "./current.ts"
export * from "./instruments.ts"
export * from "./registry.ts"
