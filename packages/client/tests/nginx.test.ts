/** Through a real nginx: as it comes, and set so that it compresses streams, which holds them back. */

import {type ChildProcess, spawn} from 'node:child_process'
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {createServer} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, beforeAll, expect, test, vi} from 'vitest'
import WebSocket from 'ws'
import {type Client, connect, type Run, type RunSnapshot, textOf} from '../src/index.js'
import {startServer, type TestServer} from './server.js'

let server: TestServer
let nginx: ChildProcess
const place = mkdtempSync(join(tmpdir(), 'unspool-nginx-'))
const ports = {plain: 0, holding: 0}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>(resolve => probe.listen(0, '127.0.0.1', resolve))
  const address = probe.address()
  await new Promise(resolve => probe.close(resolve))
  return typeof address === 'object' && address ? address.port : 0
}

const site = (port: number, settings: string) => `
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass ${server.url};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $upgrade;
      ${settings}
    }
  }`

beforeAll(async () => {
  server = await startServer()
  ports.plain = await freePort()
  ports.holding = await freePort()
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${place};`)
  writeFileSync(
    join(place, 'nginx.conf'),
    `daemon off; pid ${place}/pid; error_log ${place}/error.log;
    events {}
    http {
      access_log off; ${temporary.join(' ')}
      map $http_upgrade $upgrade { default upgrade; '' ''; }
      ${site(ports.plain, '')}
      ${site(ports.holding, 'proxy_ignore_headers X-Accel-Buffering; gzip on; gzip_proxied any; gzip_min_length 0; gzip_types text/event-stream;')}
    }`
  )
  nginx = spawn('nginx', ['-c', join(place, 'nginx.conf')], {
    stdio: 'inherit',
    env: {...process.env, PATH: `${process.env.PATH}:/usr/sbin`}
  })
  await vi.waitFor(() => fetch(`http://127.0.0.1:${ports.plain}/echo/schemas`), {timeout: 20_000})
})

afterAll(async () => {
  const gone = new Promise(resolve => nginx.once('exit', resolve))
  nginx.kill()
  await gone
  await server.stop()
  rmSync(place, {recursive: true, force: true})
})

function agent(port: number): Client {
  return connect({url: `http://127.0.0.1:${port}/slow`, flush: 'sync', WebSocket: WebSocket as never})
}

function said({messages}: RunSnapshot): string {
  return messages
    .filter(({role}) => role === 'assistant')
    .map(textOf)
    .join('')
}

async function until(run: Run, holds: (snapshot: RunSnapshot) => boolean): Promise<void> {
  await vi.waitFor(() => expect(holds(run.getSnapshot())).toBe(true), {timeout: 20_000})
}

const ALL = 'zero one two three four five six seven eight nine ten'

test('as it comes, nginx lets each token pass at once', async () => {
  const gate = `gate-${crypto.randomUUID()}`
  const client = agent(ports.plain)
  const run = client.start('count', {config: {gate}})
  await until(run, snapshot => said(snapshot) === 'zero')
  await server.release(gate, 'all')
  expect(said(await run.finished)).toBe(ALL)
  expect(run.getSnapshot().connection).toMatchObject({transport: 'sse', buffered: false})
  client.close()
})

test('one that holds streams back is found out, and a WebSocket goes around it', {timeout: 60_000}, async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const gate = `gate-${crypto.randomUUID()}`
  const client = agent(ports.holding)
  const run = client.start('count', {config: {gate}})
  await until(run, snapshot => said(snapshot) === 'zero')
  expect(run.getSnapshot().connection).toMatchObject({transport: 'websocket', buffered: true})
  expect(warn).toHaveBeenCalledWith(expect.stringContaining('proxy_buffering off'))
  await server.release(gate, 'all')
  expect(said(await run.finished)).toBe(ALL)
  client.close()
})
