import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {gzipSync} from 'node:zlib'
import react from '@vitejs/plugin-react'
import {defineConfig, type Plugin} from 'vite'
import {aliases} from '../aliases.ts'

const local = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Where `vite dev` finds a server: `UNSPOOL_SERVER=http://127.0.0.1:8000 npx vite packages/playground`. */
const server = process.env.UNSPOOL_SERVER ?? 'http://127.0.0.1:8000'

/** Puts a packed copy beside each asset: the server sends it where it is understood. */
const packed: Plugin = {
  name: 'packed',
  async writeBundle({dir = ''}, bundle) {
    const assets = Object.keys(bundle).filter(name => /\.(js|css|svg)$/.test(name))
    await Promise.all(
      assets.map(async name =>
        writeFile(`${join(dir, name)}.gz`, gzipSync(await readFile(join(dir, name)), {level: 9}))
      )
    )
  }
}

export default defineConfig({
  root: local('.'),
  // All addresses are relative: the page is served under any prefix, and behind any proxy.
  base: './',
  plugins: [react(), packed],
  resolve: {alias: aliases},
  server: {
    proxy: {
      '^/(config\\.json|[^/@.]+/(stream|runs|threads|schemas|feedback|tickets|ws|invoke))': {target: server, ws: true}
    }
  },
  build: {
    outDir: local('../../src/unspool/web/playground'),
    emptyOutDir: true,
    sourcemap: false,
    assetsInlineLimit: 0,
    // The polyfill is an inline script in all but name, and every browser with a strict policy has the real thing.
    modulePreload: {polyfill: false}
  }
})
