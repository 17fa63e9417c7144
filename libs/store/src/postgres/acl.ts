/**
 * An ACL as jsonb: `[{"perms": 31, "scheme": "world", "id": "anyone"}]`. A string that jsonb cannot hold (a client may put a
 * NUL into an id) is written as `{"utf16": "<hex>"}`.
 */
import type { Acl } from "@zkmesh/protocol"

type Text = string | { readonly utf16: string }

/** A tree has few different ACLs, so those that were seen are remembered; but not without end. */
const REMEMBERED = 1000

const textOf = (value: string): Text =>
  value.includes("\0") || !value.isWellFormed() ? { utf16: Buffer.from(value, "utf16le").toString("hex") } : value

const stringOf = (value: Text): string =>
  typeof value === "string" ? value : Buffer.from(value.utf16, "hex").toString("utf16le")

export class AclToJson {
  private readonly known = new WeakMap<ReadonlyArray<Acl>, string>()

  json(acl: ReadonlyArray<Acl>): string {
    let json = this.known.get(acl)
    if (json === undefined) {
      json = JSON.stringify(acl.map(({ perms, id }) => ({ perms, scheme: textOf(id.scheme), id: textOf(id.id) })))
      this.known.set(acl, json)
    }
    return json
  }
}

export class JsonToAcl {
  private readonly known = new Map<string, ReadonlyArray<Acl>>()

  acl(json: string): ReadonlyArray<Acl> {
    let acl = this.known.get(json)
    if (acl === undefined) {
      const entries = JSON.parse(json) as ReadonlyArray<{ perms: number; scheme: Text; id: Text }>
      acl = entries.map(({ perms, scheme, id }) => ({ perms, id: { scheme: stringOf(scheme), id: stringOf(id) } }))
      if (this.known.size >= REMEMBERED) this.known.clear()
      this.known.set(json, acl)
    }
    return acl
  }
}
