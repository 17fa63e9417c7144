import { defineConfig } from "vitest/config"

/**
 * Unit tests run in parallel; end-to-end ones own the machine's ports and cores, so one file at a time. Those of compose
 * need a Docker engine; like the long ones on faults they are not part of `npm test`.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["libs/*/test/**/*.test.ts", "services/*/test/**/*.test.ts", "test/kubernetes/*.test.ts"],
          testTimeout: 20_000,
          hookTimeout: 60_000
        }
      },
      {
        test: {
          name: "e2e",
          include: ["test/**/*.test.ts"],
          exclude: ["test/compose/**", "test/faults/**"],
          globalSetup: ["test/setup/global.ts"],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000
        }
      },
      {
        test: {
          name: "faults",
          include: ["test/faults/**/*.test.ts"],
          globalSetup: ["test/setup/global.ts"],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 120_000
        }
      },
      {
        test: {
          name: "compose",
          include: ["test/compose/**/*.test.ts"],
          globalSetup: ["test/compose/setup.ts"],
          fileParallelism: false,
          bail: 1,
          testTimeout: 120_000,
          hookTimeout: 300_000
        }
      }
    ]
  }
})
