/** One response that streams one source. */

import {createServer} from 'node:http'
import {type SourceItem, type StreamOptions, type StreamResult, type StreamSource, streamEvents} from '@unspool/express'
import express from 'express'
import {expect, test} from 'vitest'
import {aborted, framesIn, json, promised, readUntil, served, textOf, unread} from './support.js'

interface Streaming {
  url: string
  /** What the newest call of `streamEvents` gave. */
  result: Promise<StreamResult>
}

/** An app whose `/` streams a source. */
async function streaming(source: StreamSource, options: StreamOptions = {}): Promise<Streaming> {
  const app = express()
  let done: (result: StreamResult) => void = () => {}
  const result = new Promise<StreamResult>(resolve => {
    done = resolve
  })
  app.all('/', async (_req, res) => done(await streamEvents(res, source, {onError: () => {}, ...options})))
  return {url: (await served(app)).url, result}
}

async function* of(...items: SourceItem[]): AsyncGenerator<SourceItem> {
  yield* items
}

test('an iterable is streamed as one run', async () => {
  // spec: EVT-1, EVT-2, SSE-1, SSE-2
  const options = {runId: 'r1', threadId: 't', input: 'hi', name: 'mine', retry: 250}
  const {url, result} = await streaming(of('a', {type: 'data', name: 'n', value: 1}, 'b'), options)
  const response = await fetch(url, {method: 'POST'})
  const text = await response.text()
  expect([response.status, response.headers.get('Unspool-Run-Id')]).toEqual([200, 'r1'])
  expect(response.headers.get('Cache-Control')).toBe('no-cache, no-transform')
  expect(text.startsWith('retry: 250\n\nid: 1\n')).toBe(true)
  const frames = framesIn(text)
  const message_id = 'r1-1'
  expect(frames.map(({id}) => id)).toEqual(['1', '2', '3', '4', '5', '6', '7'])
  expect(frames.map(({event}) => event)).toEqual([
    {type: 'start', run_id: 'r1', source: 'mine', created_at: expect.any(Number), thread_id: 't', input: 'hi'},
    {type: 'message_start', message_id},
    {type: 'token', message_id, text: 'a'},
    {type: 'data', name: 'n', value: 1},
    {type: 'token', message_id, text: 'b'},
    {type: 'message_end', message_id},
    {type: 'end', status: 'completed', metrics: expect.objectContaining({tokens: 2})}
  ])
  expect(await result).toEqual({runId: 'r1', status: 'completed'})
})

test('it needs no Express, and keeps the headers that were set', async () => {
  const server = createServer(async (_req, res) => {
    res.setHeader('X-Mine', 'yes')
    await streamEvents(res, of('a'))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const response = await fetch(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`)
  expect(textOf(framesIn(await response.text()).map(({event}) => event))).toBe('a')
  expect(response.headers.get('X-Mine')).toBe('yes')
  server.closeAllConnections()
  server.close()
})

test('ids carry the run on GET, and lines come to who asks for them', async () => {
  // spec: CUR-3, NDJSON-1
  const {url} = await streaming(() => of('a'), {runId: 'r1'})
  const ids = framesIn(await (await fetch(url)).text()).map(({id}) => id)
  expect(ids[0]).toBe('r1:1')
  const lines = await fetch(url, {headers: {Accept: 'application/x-ndjson'}})
  expect(lines.headers.get('Content-Type')).toBe('application/x-ndjson')
  expect((await lines.text()).split('\n')[0]).toMatch(/^\{"seq":1,"at":\d+\.\d{3},"event":\{"type":"start"/)
})

test('a request that wants to resume is refused, and a HEAD starts nothing', async () => {
  // spec: CUR-2, HTTP-2
  let made = 0
  const {url} = await streaming(() => {
    made += 1
    return of('a')
  })
  const refused = await fetch(url, {headers: {'Last-Event-ID': 'r1:2'}})
  expect([refused.status, (await json(refused)).code]).toEqual([409, 'cursor_unknown'])
  expect((await fetch(url, {method: 'HEAD'})).status).toBe(405)
  expect(made).toBe(0)
})

test('a source that throws ends as failed, with nothing of the error', async () => {
  // spec: ERR-2
  const told: unknown[] = []
  async function* source(): AsyncGenerator<SourceItem> {
    yield 'a'
    throw new Error('secret')
  }
  const {url, result} = await streaming(source, {runId: 'r1', onError: (error, report) => told.push(error, report)})
  const text = await (await fetch(url)).text()
  const [error, end] = framesIn(text).slice(-2)
  expect(text).not.toContain('secret')
  expect(error?.event).toMatchObject({type: 'error', code: 'internal'})
  expect(end?.event.status).toBe('failed')
  expect(told).toEqual([new Error('secret'), {runId: 'r1', errorId: error?.event.error_id}])
  expect((await result).status).toBe('failed')
})

test.each([
  [
    'throws at once',
    () => {
      throw new Error('secret')
    }
  ],
  ['gives a promise that rejects', () => Promise.reject(new Error('secret'))],
  ['gives no iterable', () => undefined as never]
])('a source that %s ends as failed', async (_, source) => {
  // spec: ERR-2
  const {url} = await streaming(source as StreamSource)
  const text = await (await fetch(url)).text()
  expect(text).not.toContain('secret')
  expect(framesIn(text).map(({event}) => event.type)).toEqual(['start', 'error', 'end'])
})

test('the client leaving closes the source and aborts its signal', async () => {
  const closed = promised()
  let signalled = false
  const {url, result} = await streaming(async function* (signal) {
    try {
      yield 'a'
      await aborted(signal)
      signalled = true
      yield 'never seen'
    } finally {
      closed.resolve()
    }
  })
  await (await readUntil(await fetch(url), '"a"')).cancel()
  await closed.promise
  expect(signalled).toBe(true)
  expect((await result).status).toBe('cancelled')
})

test('the client leaving closes an iterable that takes no signal, once it can be', async () => {
  const closed = promised()
  const go = promised()
  async function* source(): AsyncGenerator<SourceItem> {
    try {
      yield 'a'
      await go.promise
      yield 'b'
    } finally {
      closed.resolve()
    }
  }
  const {url, result} = await streaming(source())
  await (await readUntil(await fetch(url), '"a"')).cancel()
  expect((await result).status).toBe('cancelled')
  go.resolve()
  await closed.promise
  expect.assertions(1)
})

test('a signal from outside ends the run as cancelled, and the client is told', async () => {
  const abort = new AbortController()
  const {url} = await streaming(
    async function* (signal) {
      yield 'a'
      abort.abort()
      await aborted(signal)
    },
    {signal: abort.signal}
  )
  const frames = framesIn(await (await fetch(url)).text())
  expect(textOf(frames.map(({event}) => event))).toBe('a')
  expect(frames.at(-1)?.event.status).toBe('cancelled')
})

test('a signal that was aborted before asks nothing of the source', async () => {
  let made = 0
  const source = () => {
    made += 1
    return of('a')
  }
  const {url} = await streaming(source, {signal: AbortSignal.abort()})
  const frames = framesIn(await (await fetch(url)).text())
  expect(frames.map(({event}) => event.type)).toEqual(['start', 'end'])
  expect(made).toBe(0)
})

test('a silent source gets heartbeats', async () => {
  // spec: SSE-3
  const go = promised()
  async function* source(): AsyncGenerator<SourceItem> {
    await go.promise
    yield 'a'
  }
  const {url, result} = await streaming(source, {heartbeat: 10})
  const reader = await readUntil(await fetch(url), ':\n\n:\n\n')
  go.resolve()
  expect((await result).status).toBe('completed')
  await reader.cancel()
})

const WIDE = 'x'.repeat(64 * 1024)

test('a source is read no faster than the client reads', async () => {
  let yielded = 0
  const closed = promised()
  const many = 600 // 38 MB, more than sockets hold
  const {url, result} = await streaming(
    async function* () {
      try {
        for (; yielded < many; yielded += 1) yield WIDE
      } finally {
        closed.resolve()
      }
    },
    {drainTimeout: 1000}
  )
  await unread(url, '/', {})
  // The socket does not drain: it is closed, and the source with it.
  await closed.promise
  expect((await result).status).toBe('cancelled')
  expect(yielded).toBeGreaterThan(0)
  expect(yielded).toBeLessThan(many)
})

test('a slow client that goes on reading gets all of it', async () => {
  const {url} = await streaming(async function* () {
    for (let count = 0; count < 400; count += 1) yield WIDE
  })
  const socket = await unread(url, '/', {})
  let bytes = 0
  const ended = new Promise<string>(resolve => {
    let tail = ''
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      tail = (tail + chunk.toString('latin1')).slice(-400)
      if (tail.includes('"type":"end"')) resolve(tail)
      socket.pause()
      setImmediate(() => socket.resume())
    })
  })
  socket.resume()
  expect(await ended).toContain('"status":"completed"')
  expect(bytes).toBeGreaterThan(400 * WIDE.length)
})
