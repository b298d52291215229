/** The built page over HTTP, under the policy that the playground has. */

import {readFile} from 'node:fs/promises'
import {createServer} from 'node:http'
import {extname, join, normalize} from 'node:path'

const TYPES = {'.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css'}
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; font-src 'self'"

/** Serves `folder` on a free port of this machine. */
export async function serve(folder) {
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://page').pathname)
    try {
      const body = await readFile(join(folder, path === '/' ? 'index.html' : path))
      const type = TYPES[extname(path)] ?? (path === '/' ? 'text/html' : 'application/octet-stream')
      response.writeHead(200, {'Content-Type': type, 'Content-Security-Policy': POLICY}).end(body)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  return {url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close()}
}
