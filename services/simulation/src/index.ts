export { cast } from "./cast.ts"
