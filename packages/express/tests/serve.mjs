// node packages/express/tests/serve.mjs [--port 8000] [--token SECRET]
// Serves the test agents from their TypeScript sources, and prints READY with the URL.
import {runnerImport} from 'vite'

const alias = (await runnerImport(new URL('../../aliases.ts', import.meta.url).pathname)).module.aliases
const {module} = await runnerImport(new URL('./serve.ts', import.meta.url).pathname, {
  configFile: false,
  logLevel: 'error',
  resolve: {alias}
})
await module.main()
