import { deserialize, serialize } from "node:v8"
import type { Codec } from "@zkmesh/bus"

/** Any message of plain data, numbers and byte arrays included. Right for what is rare; hot messages have codecs of their own. */
export const structured = <M>(): Codec<M> => ({
  encode: (message) => serialize(message),
  decode: (bytes) => deserialize(bytes) as M
})
