/** What `--version` says, and spans. */
export const VERSION = "0.1.0"
