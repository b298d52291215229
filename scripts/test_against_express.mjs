/** Runs the tests of the client and the hooks, which the Python server passes, against the Express server. */

import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {createInterface} from 'node:readline'

const TESTS = [
  'packages/client/tests/run.test.ts',
  'packages/client/tests/chat.test.ts',
  'packages/react/tests/response.test.tsx',
  'packages/react/tests/chat.test.tsx',
  'packages/react/tests/run.test.tsx'
]
const READY_SECONDS = 60

const server = spawn('node', ['packages/express/tests/serve.mjs', '--port', '0'], {stdio: ['ignore', 'pipe', 'inherit']})
const patience = setTimeout(() => server.kill(), READY_SECONDS * 1000)
let url
for await (const line of createInterface({input: server.stdout})) {
  url = /^READY (\S+)/.exec(line)?.[1]
  if (url) break
}
clearTimeout(patience)
if (!url) throw new Error('the Express server did not start')
try {
  const tests = spawn('npx', ['--no-install', 'vitest', 'run', ...TESTS], {
    stdio: 'inherit',
    env: {...process.env, UNSPOOL_SERVER: url}
  })
  const [code] = await once(tests, 'exit')
  process.exitCode = code ?? 1
} finally {
  server.kill()
}
