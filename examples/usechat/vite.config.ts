import react from '@vitejs/plugin-react'
import {defineConfig} from 'vite'
import {aliases} from '../../packages/aliases.ts'

export default defineConfig({
  base: './',
  plugins: [react()],
  // In this repository the packages are used by their sources. In a project of your own, leave this line out.
  resolve: {alias: aliases},
  // The agent is another server. To the browser it is the same one, so that it needs no CORS.
  server: {proxy: {'/agent': process.env.AGENT_SERVER ?? 'http://127.0.0.1:8000'}},
  build: {modulePreload: {polyfill: false}, chunkSizeWarningLimit: 800}
})
