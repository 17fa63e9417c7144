import type { Report } from "@zkmesh/health"
import type { Peer } from "@zkmesh/zab"

/** What the peer is up to, and why it does not serve if it does not. */
export const healthOf = (peer: Peer): Report => {
  const { role, phase, leaderSid } = peer
  if (role === "looking") return { condition: "looking", why: "there is no leader that a quorum has agreed on" }
  if (phase === "broadcast") return { condition: "serving", why: role }
  return {
    condition: "syncing",
    why: role === "leading" ? `${phase} as leader` : `${phase} with leader ${leaderSid}`
  }
}
