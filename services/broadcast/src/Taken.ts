import type { Link } from "@zkmesh/bus"
import type { LinkId } from "@zkmesh/zab"

/** Links that were taken, under the core's names for them. */
export class Taken<Out> {
  private readonly ids = new Map<Link<Out>, LinkId>()
  private readonly links = new Map<LinkId, Link<Out>>()
  private last: LinkId = 0

  add(link: Link<Out>): LinkId {
    const id = ++this.last
    this.ids.set(link, id)
    this.links.set(id, link)
    return id
  }
  id(link: Link<Out>): LinkId | undefined {
    return this.ids.get(link)
  }
  link(id: LinkId): Link<Out> | undefined {
    return this.links.get(id)
  }
  remove(link: Link<Out>): LinkId | undefined {
    const id = this.ids.get(link)
    this.ids.delete(link)
    if (id !== undefined) this.links.delete(id)
    return id
  }
  all(): Iterable<Link<Out>> {
    return this.links.values()
  }
}
