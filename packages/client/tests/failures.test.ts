// @vitest-environment jsdom
/** Failures that have to be scheduled: `fetch` is a script here. The rest is real. */

import {afterEach, beforeEach, expect, test, vi} from 'vitest'
import {connect, type Run} from '../src/index.js'

type Answer = () => Response | Promise<Response>

let asked: {url: string; at: number}[] = []

beforeEach(() => {
  vi.useFakeTimers({toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance']})
  StubSocket.made = []
  vi.spyOn(Math, 'random').mockReturnValue(1)
  asked = []
})
afterEach(() => {
  vi.useRealTimers()
})

/** Answers requests for the stream in turn, and all others by `others`. */
function scripted(stream: Answer[], others: Answer = () => Response.json({}, {status: 404})): typeof fetch {
  return async (url, init) => {
    asked.push({url: String(url), at: Date.now()})
    const answer = String(url).includes('stream') ? stream.shift() : others
    if (!answer) throw new TypeError('there is no further answer in the script')
    const aborted = new Promise<never>((_, reject) => {
      init?.signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')))
    })
    return Promise.race([answer(), aborted])
  }
}

const frame = (seq: number, event: object) => `id: ${seq}\ndata: ${JSON.stringify(event)}\n\n`
const START = frame(1, {type: 'start', run_id: 'r', source: 's', created_at: 1})
const END = (seq: number, metrics?: object) => frame(seq, {type: 'end', status: 'completed', ...(metrics && {metrics})})
const token = (seq: number) => frame(seq, {type: 'token', message_id: 'm', text: `${seq}`})

function sse(...chunks: string[]): Response {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk))
      controller.close()
    }
  })
  return new Response(body, {headers: {'Content-Type': 'text/event-stream'}})
}

/** A stream that begins, and then says nothing. */
function silent(...chunks: string[]): Response {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk))
    }
  })
  return new Response(body, {headers: {'Content-Type': 'text/event-stream'}})
}

const problem = (status: number, headers: Record<string, string> = {}): Response =>
  Response.json({code: status === 429 ? 'rate_limit' : 'overloaded', detail: 'later'}, {status, headers})

function start(fetchScript: typeof fetch, options: object = {}): Run {
  return connect({url: '/agent', fetch: fetchScript, flush: 'sync', ...options}).start('hi', {runId: 'r'})
}

async function settle(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
}

test('the waits double up to the cap', async () => {
  const answers = Array.from({length: 6}, () => () => Promise.reject(new TypeError('no network')))
  const run = start(scripted([...answers, () => sse(START, END(2))]), {backoff: {first: 100, cap: 800}})
  await settle(10_000)
  expect(run.getSnapshot().status).toBe('completed')
  const gaps = asked.slice(1).map(({at}, index) => at - (asked[index]?.at ?? 0))
  expect(gaps).toEqual([100, 200, 400, 800, 800, 800])
})

test.each([
  ['seconds', '7', 7000],
  ['a date', () => new Date(Math.ceil(Date.now() / 1000) * 1000 + 7000).toUTCString(), undefined]
])('Retry-After is obeyed, given as %s', async (_, header, exact) => {
  const value = typeof header === 'function' ? header() : header
  const due = exact ? Date.now() + exact : Date.parse(value)
  const run = start(scripted([() => problem(503, {'Retry-After': value}), () => sse(START, END(2))]))
  await settle(1)
  expect(run.getSnapshot().connection).toMatchObject({state: 'waiting', error: {code: 'overloaded'}})
  await settle(6000)
  expect(asked).toHaveLength(1)
  await settle(3000)
  expect(asked).toHaveLength(2)
  expect(asked[1]?.at).toBeGreaterThanOrEqual(due)
  expect(run.getSnapshot().status).toBe('completed')
})

test('a rate limit passes, too', async () => {
  const run = start(scripted([() => problem(429, {'Retry-After': '2'}), () => sse(START, END(2))]))
  await settle(2500)
  expect(run.getSnapshot().status).toBe('completed')
})

test('a stream that is cut goes on behind the last event', async () => {
  const run = start(scripted([() => sse(START, token(2), 'id: 3\ndata: {"type":"tok'), () => sse(token(3), END(4))]))
  await settle(5000)
  expect(asked.map(({url}) => url)).toEqual(['/agent/stream', '/agent/runs/r/stream?after=2'])
  expect(run.getSnapshot().messages[0]?.parts).toEqual([{type: 'text', kind: 'text', text: '23'}])
})

test('a gap is not papered over: the missing events are asked for', async () => {
  const run = start(scripted([() => sse(START, token(3)), () => sse(token(2), token(3), END(4))]))
  await settle(5000)
  expect(asked[1]?.url).toBe('/agent/runs/r/stream?after=1')
  expect(run.getSnapshot().messages[0]?.parts).toEqual([{type: 'text', kind: 'text', text: '23'}])
})

test('what is no stream at all is tried three times', async () => {
  const page = () => new Response('<html>', {headers: {'Content-Type': 'text/html'}})
  const run = start(scripted([page, page, page, page]))
  await settle(30_000)
  expect(asked).toHaveLength(3)
  expect(run.getSnapshot().problem).toMatchObject({code: 'parse'})
})

test('a dead connection is noticed by its silence', async () => {
  const run = start(scripted([() => silent(START), () => sse(token(2), END(3))]), {timeouts: {silence: 45_000}})
  await settle(44_000)
  expect(asked).toHaveLength(1)
  await settle(3000)
  expect(run.getSnapshot().status).toBe('completed')
})

test('a heartbeat keeps the connection', async () => {
  let beat: () => void = () => {}
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(START))
      beat = () => controller.enqueue(new TextEncoder().encode(':\n\n'))
    }
  })
  const run = start(scripted([() => new Response(stream, {headers: {'Content-Type': 'text/event-stream'}})]))
  for (let beats = 0; beats < 10; beats += 1) {
    await settle(15_000)
    beat()
  }
  expect(asked).toHaveLength(1)
  expect(run.getSnapshot().connection.state).toBe('open')
  run.detach()
})

test('the network is back: it does not wait any longer', async () => {
  const answers: Answer[] = [() => Promise.reject(new TypeError('no network')), () => sse(START, END(2))]
  const run = start(scripted(answers), {backoff: {first: 60_000, cap: 60_000}})
  await settle(10)
  window.dispatchEvent(new Event('offline'))
  expect(run.getSnapshot().connection.state).toBe('offline')
  window.dispatchEvent(new Event('online'))
  await settle(10)
  expect(run.getSnapshot().status).toBe('completed')
})

test('a tab that is seen again after a sleep makes a stale connection anew', async () => {
  const answers: Answer[] = [() => silent(START), () => sse(END(2))]
  const run = start(scripted(answers), {timeouts: {silence: 600_000}})
  await settle(19_000)
  document.dispatchEvent(new Event('visibilitychange'))
  await settle(10)
  expect(asked).toHaveLength(1)
  await settle(2000)
  document.dispatchEvent(new Event('visibilitychange'))
  await settle(1000)
  expect(run.getSnapshot().status).toBe('completed')
})

/** Says that it is there, and nothing else: it is found out by what it is asked to send. */
class StubSocket extends EventTarget {
  static made: StubSocket[] = []
  readonly OPEN = 1
  readyState = 0
  sent: string[] = []
  onopen = () => {}
  onmessage: ((event: {data: string}) => void) | null = null
  onclose: ((event: {code: number}) => void) | null = null
  constructor(readonly url: URL) {
    super()
    StubSocket.made.push(this)
    queueMicrotask(() => {
      this.readyState = 1
      this.onopen()
    })
  }
  send(text: string): void {
    this.sent.push(text)
  }
  close(): void {
    this.readyState = 3
  }
}

test('a proxy that holds the stream back is found out, and a WebSocket is used instead', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const view = () => Response.json({id: 'r', status: 'running', last_seq: 3})
  const run = start(scripted([() => silent()], view), {WebSocket: StubSocket})
  await settle(6000)
  expect(run.getSnapshot().connection).toMatchObject({buffered: true})
  expect(warn).toHaveBeenCalledWith(expect.stringContaining('proxy_buffering off'))
  await vi.waitFor(() => expect(StubSocket.made[0]?.sent).toHaveLength(1))
  const [socket] = StubSocket.made
  expect(JSON.parse(socket?.sent[0] ?? '{}')).toMatchObject({type: 'start', run_id: 'r', input: 'hi'})
  for (const [seq, event] of [
    [1, {type: 'start', run_id: 'r', source: 's', created_at: 1}],
    [2, {type: 'end', status: 'completed'}]
  ]) {
    socket?.onmessage?.({data: JSON.stringify({type: 'event', run_id: 'r', seq, event})})
  }
  await expect(run.finished).resolves.toMatchObject({status: 'completed', connection: {transport: 'websocket'}})
})

test('a socket is kept by heartbeats, and one that is silent for 60 s is given up', async () => {
  const options = {WebSocket: StubSocket, transport: 'websocket', timeouts: {silence: 600_000}}
  const run = start(scripted([]), options)
  await vi.waitFor(() => expect(StubSocket.made[0]?.sent).toHaveLength(1))
  const [socket] = StubSocket.made
  await settle(30_000)
  expect(socket?.sent.slice(1)).toEqual(['{"type":"heartbeat"}'])
  socket?.onmessage?.({data: '{"type":"heartbeat"}'})
  await settle(60_000)
  expect(socket?.sent).toHaveLength(4)
  expect(StubSocket.made).toHaveLength(1)
  await settle(31_000)
  expect(socket?.readyState).toBe(3)
  await vi.waitFor(() => expect(StubSocket.made[1]?.sent).toHaveLength(1))
  expect(run.getSnapshot().timing.reconnects).toBe(1)
  run.detach()
  await settle(0)
  expect(vi.getTimerCount()).toBe(0)
})

test('a run that took long on the server and came here in one go was held back', async () => {
  vi.spyOn(console, 'warn').mockImplementation(() => {})
  const metrics = {tokens: 1, elapsed_ms: 2500}
  const run = start(scripted([() => sse(START, token(2), END(3, metrics))]))
  await settle(10)
  expect(run.getSnapshot().connection.buffered).toBe(true)
  const quick = start(scripted([() => sse(START, token(2), END(3, {tokens: 1, elapsed_ms: 1900}))]))
  await settle(10)
  expect(quick.getSnapshot().connection.buffered).toBe(false)
})

test('a quiet run is not taken for one that is held back', async () => {
  const view = () => Response.json({id: 'r', status: 'running', last_seq: 0})
  const run = start(scripted([() => silent()], view))
  await settle(10_000)
  expect(run.getSnapshot().connection.buffered).toBe(false)
  run.detach()
})

test('a state patch loads what applies it, and what comes meanwhile waits', async () => {
  const state = frame(2, {type: 'state', snapshot: {a: 1}})
  const patch = frame(3, {type: 'state', patch: [{op: 'replace', path: '/a', value: 2}]})
  const run = start(scripted([() => sse(START, state, patch, token(4), END(5))]))
  await vi.waitFor(() => expect(run.getSnapshot().status).toBe('completed'))
  expect(run.getSnapshot()).toMatchObject({state: {a: 2}, last_seq: 5})
  expect(asked).toHaveLength(1)
})

test('headers are asked for anew each time', async () => {
  const sent: (string | null)[] = []
  let turn = 0
  const script = scripted([() => sse(START), () => sse(END(2))])
  const client = connect({
    url: '/agent',
    flush: 'sync',
    headers: async () => {
      turn += 1
      return {Authorization: `Bearer ${turn}`}
    },
    fetch: (url, init) => {
      sent.push(new Headers(init?.headers).get('Authorization'))
      return script(url, init)
    }
  })
  const run = client.start('hi', {runId: 'r'})
  await settle(5000)
  expect(run.getSnapshot().status).toBe('completed')
  expect(sent).toEqual(['Bearer 1', 'Bearer 2'])
})

test('a start that was given up is stopped, also if it reaches the server only then', async () => {
  let cancels = 0
  const run = start(
    scripted([() => new Promise(() => {})], () => {
      cancels += 1
      return cancels < 3 ? Response.json({code: 'not_found'}, {status: 404}) : Response.json({id: 'r'}, {status: 202})
    }),
    {timeouts: {total: 100}}
  )
  await settle(100)
  await expect(run.finished).rejects.toMatchObject({code: 'timeout'})
  await settle(10_000)
  expect(asked.slice(1).map(({url}) => url)).toEqual(Array(3).fill('/agent/runs/r/cancel'))
})

test('stopping a run that has just ended is no error', async () => {
  const run = start(scripted([() => silent(START)], () => Response.json({code: 'conflict'}, {status: 409})))
  await settle(10)
  await expect(run.stop()).resolves.toBeUndefined()
  run.detach()
})

test('debug writes the stream, line by line', async () => {
  const lines: string[] = []
  start(scripted([() => sse(START, END(2))]), {debug: (line: string) => lines.push(line)})
  await settle(10)
  expect(lines).toEqual([
    'run r: open, from 0',
    expect.stringMatching(/^run r: 1 \{"type":"start"/),
    expect.stringMatching(/^run r: 2 \{"type":"end"/)
  ])
})
