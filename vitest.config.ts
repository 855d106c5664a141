import { defineConfig } from 'vitest/config'

/** The projects that run on a real API server and a real PostgreSQL. */
const onServers = {
  globalSetup: ['test/support/globalSetup.ts'],
  testTimeout: 60_000,
  hookTimeout: 120_000,
}

export default defineConfig({
  test: {
    watch: false,
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts', 'hack/**/*.test.ts'] } },
      { test: { name: 'integration', include: ['test/integration/**/*.test.ts'], ...onServers } },
      { test: { name: 'chart', include: ['test/chart/**/*.test.ts'], ...onServers } },
      // Whole systems, measured: one at a time, or they would measure each other.
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          ...onServers,
          testTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
