// The tests of what the AI SDK does with us, with its version 7. It needs Node 22.
import {defineConfig} from 'vitest/config'
import {aliases} from './packages/aliases.ts'

export default defineConfig({
  resolve: {
    alias: [...aliases, {find: /^ai$/, replacement: 'ai-7'}, {find: /^@ai-sdk\/react$/, replacement: 'ai-7-react'}]
  },
  test: {
    include: ['packages/*/tests/ai-sdk.test.{ts,tsx}'],
    env: {AI_SDK: '7'},
    testTimeout: 20_000,
    hookTimeout: 60_000,
    restoreMocks: true
  }
})
