export { runZnode, type ZnodeServiceOptions } from "./Znode.ts"
