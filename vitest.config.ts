import { defineConfig } from 'vitest/config'

// Tests import '#src/...', which resolves to the compiled files in dist: what is tested is what ships,
// worker entry points included. `npm test` builds first.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
})
