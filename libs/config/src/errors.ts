import { Data } from "effect"

/** A configuration that cannot be run. `message` is one line that names the place, the key and the reason. */
export class ConfigError extends Data.TaggedError("ConfigError")<{
  readonly key: string
  readonly reason: string
  /** Where the key was read: `zoo.cfg:12`, an environment variable, a flag. */
  readonly source?: string
}> {
  override get message(): string {
    const place = this.source === undefined ? "" : `${this.source}: `
    return this.key === "" ? `${place}${this.reason}` : `${place}${this.key}: ${this.reason}`
  }
}
