/** The two that are compared, configured alike. */
import { Ensemble } from "../setup/zkmesh.ts"
import { ZooKeeper } from "../setup/zookeeper.ts"

const TICK_MS = 500
/** `super:admin` */
const SUPER_DIGEST = "super:xQJmxLMiHGwaqBvst5y6rkB6HQs="
const SWEEP_MS = 500

const SETTINGS = [
  "extendedTypesEnabled=true",
  "enforceQuota=true",
  `DigestAuthenticationProvider.superDigest=${SUPER_DIGEST}`
]

/** A quorum of one: it answers as every server of an ensemble does, and needs one JVM. */
export const startZooKeeper = (classPath?: string): Promise<ZooKeeper> =>
  ZooKeeper.start(1, SETTINGS, {
    ...(classPath === undefined ? {} : { classPath }),
    tickTimeMs: TICK_MS,
    quorumOfOne: true,
    jvm: [`-Dznode.container.checkIntervalMs=${SWEEP_MS}`]
  })

export const startEnsemble = (): Promise<Ensemble> =>
  Ensemble.start(3, [...SETTINGS, `tickTime=${TICK_MS}`, `znode.container.checkIntervalMs=${SWEEP_MS}`])
