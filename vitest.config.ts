import {defineConfig} from 'vitest/config'
import {aliases} from './packages/aliases.ts'

// Vitest 5 prints failures with it, and Node 20 does not have it.
Map.groupBy ??= <K, T>(items: Iterable<T>, keyOf: (item: T, index: number) => K): Map<K, T[]> => {
  const groups = new Map<K, T[]>()
  let index = 0
  for (const item of items) {
    const key = keyOf(item, index++)
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  return groups
}

export default defineConfig({
  resolve: {alias: aliases},
  test: {
    include: ['packages/*/tests/**/*.test.{ts,tsx}'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    restoreMocks: true
  }
})
