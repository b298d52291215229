import react from '@vitejs/plugin-react'
import {defineConfig} from 'vite'
import {aliases} from '../../packages/aliases.ts'

export default defineConfig({
  root: new URL('page', import.meta.url).pathname,
  base: './',
  plugins: [react()],
  resolve: {alias: aliases},
  logLevel: 'warn',
  build: {emptyOutDir: true, modulePreload: {polyfill: false}, assetsInlineLimit: 0}
})
