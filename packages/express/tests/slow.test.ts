/** Followers that do not read: they cost nobody else anything. */

import {createAgent, type SourceItem} from '@unspool/express'
import express from 'express'
import {expect, test} from 'vitest'
import {agentAt, framesIn, served, textOf, unread} from './support.js'

const WIDE = 'x'.repeat(64 * 1024)
const COUNT = 600 // 38 MB, more than sockets hold

async function* much(): AsyncGenerator<SourceItem> {
  for (let count = 0; count < COUNT; count += 1) yield WIDE
}

test('a follower that does not read holds up neither its run nor other followers', async () => {
  const {url} = await agentAt(much)
  await unread(url, '/agent/stream', {input: 1, run_id: 'r'})
  let run = await fetch(`${url}/runs/r/stream`)
  while (run.status === 404) run = await fetch(`${url}/runs/r/stream`)
  const events = framesIn(await run.text()).map(({event}) => event)
  expect(textOf(events)).toHaveLength(COUNT * WIDE.length)
  expect(events.at(-1).status).toBe('completed')
})

test('a follower whose socket does not drain is closed, and can resume', async () => {
  const app = express()
  const closed = new Promise<void>(resolve => {
    app.post('/stream', (_req, res, next) => {
      res.once('close', resolve)
      next()
    })
  })
  app.use(createAgent(much, {drainTimeout: 200}).router)
  const {url} = await served(app)
  const socket = await unread(url, '/stream', {input: 1, run_id: 'r'})
  await closed
  // Only now it reads what the kernel holds.
  let received = ''
  socket.on('data', chunk => {
    received += chunk
  })
  await new Promise(resolve => socket.once('close', resolve).resume())
  const last = Number(/.*\nid: (\d+)\ndata: [^\n]*\n\n/s.exec(received)?.[1])
  expect(last).toBeGreaterThan(0)
  expect(last).toBeLessThan(COUNT)
  const rest = await fetch(`${url}/runs/r/stream`, {headers: {'Last-Event-ID': String(last)}})
  const frames = framesIn(await rest.text())
  expect(frames[0]?.id).toBe(String(last + 1))
  expect(frames.at(-1)?.event.status).toBe('completed')
})
