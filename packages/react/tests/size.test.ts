import {fileURLToPath} from 'node:url'
import {gzipSync} from 'node:zlib'
import {build} from 'vite'
import {expect, test, vi} from 'vitest'

const LIMIT = 5000

test('all of it takes at most 5 kB of a page, minified and compressed, beyond the client', async () => {
  vi.stubEnv('NODE_ENV', 'production')
  const entry = fileURLToPath(new URL('../src/index.ts', import.meta.url))
  const built = await build({
    configFile: false,
    logLevel: 'error',
    mode: 'production',
    build: {
      write: false,
      minify: true,
      modulePreload: false,
      rollupOptions: {input: entry, preserveEntrySignatures: 'strict', external: [/^react/, /^@unspool\/client/]}
    }
  })
  const outputs = Array.isArray(built) ? built : [built]
  const code = outputs
    .flatMap(each => ('output' in each ? each.output : []))
    .flatMap(each => ('code' in each ? each.code : []))
  const size = gzipSync(code.join('')).length
  expect(code.join('')).toContain('aria-busy')
  expect(size).toBeLessThanOrEqual(LIMIT)
  console.info(`@unspool/react: ${size} bytes`)
})
