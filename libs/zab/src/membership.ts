/**
 * Who this peer knows to vote: the configuration that is committed, and the one in its log that is not known to be.
 *
 * Safety rests on one rule: what a peer knows covers its log. Whoever holds a reconfiguration counts both quorums until
 * it is committed, so that no leader of the old ensemble alone and none of the new one alone can come about meanwhile;
 * and the log with the reconfiguration in it is never durable without the peer knowing so (it is stored first).
 *
 * A reconfiguration is only proposed once the one before it is committed, so a second one in a log commits the first.
 * A configuration that is committed may be learnt before the log has it (from an election, with a snapshot): that only
 * ever takes a vote away from an ensemble that is no more.
 */
import { type Configuration, parseConfiguration } from "@zkmesh/membership"
import { counterOf, type Sid, type Zxid } from "@zkmesh/numbers"

/** What the store keeps: configurations' texts. */
export interface StoredMembership {
  readonly committed: string | undefined
  /** In the log (the store has checked that), and not known to be committed. */
  readonly proposed: string | undefined
}

export class Membership {
  committed: Configuration
  proposed: Configuration | undefined
  /** The last zxid before `proposed`: up to there the committed configuration's quorum is enough. */
  proposedAfter: Zxid = 0
  /** Set when anything has changed; whoever has seen to it clears it. */
  hasChanged = false

  /** `initial` is from a file: anything that has been agreed on is newer. */
  constructor(initial: Configuration, stored: StoredMembership | undefined) {
    const committed = stored?.committed === undefined ? initial : parseConfiguration(stored.committed)
    this.committed = committed.version >= initial.version ? committed : initial
    const proposed = stored?.proposed === undefined ? undefined : parseConfiguration(stored.proposed)
    this.proposed = proposed !== undefined && proposed.version > this.committed.version ? proposed : undefined
  }

  /** The newest version that this peer has heard of. */
  get newest(): Zxid {
    return this.proposed?.version ?? this.committed.version
  }

  isVoter(sid: Sid): boolean {
    return this.committed.quorum.voters.has(sid) || this.proposed?.quorum.voters.has(sid) === true
  }

  /** Everybody who votes. */
  get voters(): ReadonlySet<Sid> {
    const { committed, proposed } = this
    if (proposed === undefined) return committed.quorum.voters
    return new Set([...committed.quorum.voters, ...proposed.quorum.voters])
  }

  /** True if these are a quorum, of both configurations while there are two. */
  has(sids: ReadonlyArray<Sid> | ReadonlySet<Sid> | Map<Sid, unknown>): boolean {
    const { committed, proposed } = this
    return committed.quorum.has(keys(sids)) && (proposed === undefined || proposed.quorum.has(keys(sids)))
  }

  /** True if a quorum can be had without these. */
  canSpare(lost: ReadonlySet<Sid>): boolean {
    return this.has([...this.voters].filter((sid) => !lost.has(sid)))
  }

  /** Taken into the log, after `after`. */
  propose(configuration: Configuration, after: Zxid): void {
    if (configuration.version <= this.newest) return
    if (this.proposed !== undefined) this.committed = this.proposed
    this.proposed = configuration
    this.proposedAfter = after
    this.hasChanged = true
  }

  /** Everything up to `zxid` is committed. */
  commit(zxid: Zxid): void {
    if (this.proposed === undefined || this.proposed.version > zxid) return
    this.committed = this.proposed
    this.proposed = undefined
    this.hasChanged = true
  }

  /** The log ends at `zxid`. */
  truncated(zxid: Zxid): void {
    if (this.proposed === undefined || this.proposed.version <= zxid) return
    this.proposed = undefined
    this.hasChanged = true
  }

  /** The log is another's now, which knows what is committed in it: a proposed one has gone with the old log. */
  replaced(): void {
    if (this.proposed === undefined) return
    this.proposed = undefined
    this.hasChanged = true
  }

  /** Somebody knows this one to be committed. False if it is no news. */
  adopt(configuration: Configuration): boolean {
    if (configuration.version <= this.committed.version) return false
    this.committed = configuration
    if (this.proposed !== undefined && this.proposed.version <= configuration.version) this.proposed = undefined
    this.hasChanged = true
    return true
  }

  /** What is to be stored; a file's own configuration is not. */
  get stored(): StoredMembership {
    const { committed, proposed } = this
    return { committed: committed.version > 0 ? committed.text : undefined, proposed: proposed?.text }
  }

  /**
   * The text for `/zookeeper/config` where the log does not give it: a configuration that nobody has changed, under the
   * version that its first leader gave it.
   */
  get established(): string | undefined {
    const { version, text } = this.committed
    return version > 0 && counterOf(version) === 0 ? text : undefined
  }
}

const keys = (sids: ReadonlyArray<Sid> | ReadonlySet<Sid> | Map<Sid, unknown>): Iterable<Sid> =>
  sids instanceof Map ? sids.keys() : sids
