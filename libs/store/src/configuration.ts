import { parseConfiguration } from "@zkmesh/membership"
import type { Zxid } from "@zkmesh/numbers"

/** The zxid that made the configuration with this text; 0 for none. */
export const versionOf = (text: string | undefined): Zxid => (text === undefined ? 0 : parseConfiguration(text).version)
