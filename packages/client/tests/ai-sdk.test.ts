import type {UIMessage, UIMessageChunk} from 'ai'
import {expect, test, vi} from 'vitest'
import {loadMessages, unspoolTransport} from '../src/ai-sdk.js'

const CHUNKS: UIMessageChunk[] = [
  {type: 'start', messageId: 'run-1', messageMetadata: {runId: 'run-1'}},
  {type: 'text-start', id: 'p1'},
  ...['a', 'é', '[DONE]', '\n'].map(delta => ({type: 'text-delta' as const, id: 'p1', delta})),
  {type: 'text-end', id: 'p1'},
  {type: 'finish', finishReason: 'stop'}
]
const BODY = new TextEncoder().encode(
  `${CHUNKS.map(chunk => `data: ${JSON.stringify(chunk)}\n\n:\n\n`).join('')}data: [DONE]\n\n`
)
const QUESTION: UIMessage = {id: 'u', role: 'user', parts: [{type: 'text', text: 'go'}]}

interface Asked {
  url: string
  method: string | undefined
  headers: Headers
  body: unknown
}

/** A server that answers each request by the next of `answers`, the last of them for ever. */
function served(...answers: ((signal: AbortSignal) => Response | Promise<Response>)[]) {
  const asked: Asked[] = []
  const fake = async (url: unknown, {method, headers, body, signal}: RequestInit = {}) => {
    asked.push({url: String(url), method, headers: new Headers(headers), body: body && JSON.parse(String(body))})
    const answer = answers[Math.min(asked.length, answers.length) - 1]
    if (!answer) throw new Error('no answer')
    return answer(signal as AbortSignal)
  }
  return {asked, fetch: fake as typeof fetch}
}

function answered(body: Uint8Array<ArrayBuffer> = BODY, runId = 'run-1'): Response {
  return new Response(body, {headers: {'Unspool-Run-Id': runId}})
}

function unreachable(): Response {
  throw new TypeError('fetch failed')
}

async function sent(fetch: typeof globalThis.fetch, more: object = {}, abortSignal?: AbortSignal) {
  const transport = unspoolTransport({api: 'http://server/agent/ai-sdk?v=7', fetch, ...more})
  return transport.sendMessages({
    trigger: 'submit-message',
    chatId: 'c/1',
    messageId: undefined,
    messages: [QUESTION],
    abortSignal
  })
}

async function all(stream: ReadableStream<UIMessageChunk>): Promise<UIMessageChunk[]> {
  const chunks: UIMessageChunk[] = []
  const reader = stream.getReader()
  for (;;) {
    const {done, value} = await reader.read()
    if (done) return chunks
    chunks.push(value)
  }
}

test('wherever the connection is cut, each chunk is given out once', async () => {
  vi.useFakeTimers()
  try {
    for (let at = 0; at < BODY.length; at++) {
      const {asked, fetch} = served(
        () => answered(BODY.slice(0, at)),
        unreachable,
        () => answered(BODY.slice(0, at + 40)),
        () => answered()
      )
      const chunks = all(await sent(fetch))
      await vi.runAllTimersAsync()
      expect(await chunks).toEqual(CHUNKS)
      expect(asked.slice(1).map(({url}) => url)).toSatisfy((urls: string[]) =>
        urls.every(url => url === 'http://server/agent/ai-sdk/c%2F1/stream?v=7&run_id=run-1')
      )
    }
  } finally {
    vi.useRealTimers()
  }
}, 30_000)

test('each connection that brings something may be followed by as many attempts again', async () => {
  vi.useFakeTimers()
  try {
    const {asked, fetch} = served(
      () => new Response(BODY.slice(0, 150)),
      unreachable,
      () => new Response(BODY.slice(0, 300)),
      unreachable,
      () => new Response(BODY)
    )
    const chunks = all(await sent(fetch, {attempts: 2}))
    await vi.runAllTimersAsync()
    expect(await chunks).toEqual(CHUNKS)
    expect(asked.slice(1).map(({url}) => url)).toEqual(
      Array(4).fill('http://server/agent/ai-sdk/c%2F1/stream?v=7&run_id=run-1')
    )
  } finally {
    vi.useRealTimers()
  }
})

test('what is not JSON is an error', async () => {
  const {asked, fetch} = served(() => answered(new TextEncoder().encode('data: {oops\n\n')))
  const stream = await sent(fetch)
  await expect(all(stream)).rejects.toThrow(SyntaxError)
  expect(asked).toHaveLength(1)
})

test('a server that does not come back is an error, and so is one that refuses', async () => {
  vi.useFakeTimers()
  try {
    const gone = served(() => answered(BODY.slice(0, 100)), unreachable)
    const lost = expect(all(await sent(gone.fetch, {attempts: 3}))).rejects.toThrow(/^network error/)
    await vi.runAllTimersAsync()
    await lost
    expect(gone.asked).toHaveLength(4)
    const refusing = served(
      () => answered(BODY.slice(0, 100)),
      () => new Response('Not yours.', {status: 404})
    )
    const refused = expect(all(await sent(refusing.fetch))).rejects.toThrow('Not yours.')
    await vi.runAllTimersAsync()
    await refused
  } finally {
    vi.useRealTimers()
  }
})

test('what the app gives for each request goes with it', async () => {
  const {asked, fetch} = served(() => answered())
  await all(await sent(fetch, {headers: async () => ({Authorization: 'Bearer x'}), body: () => ({config: {a: 1}})}))
  expect(asked).toHaveLength(1)
  expect(asked[0]).toMatchObject({
    url: 'http://server/agent/ai-sdk?v=7',
    method: 'POST',
    body: {config: {a: 1}, id: 'c/1', messages: [QUESTION], trigger: 'submit-message'}
  })
  expect(asked[0]?.headers.get('authorization')).toBe('Bearer x')
  await expect(sent(served(() => new Response('Too busy.', {status: 503})).fetch)).rejects.toThrow('Too busy.')
})

test.each(['before its answer has begun', 'in mid-answer'])('an abort %s stops the run', async when => {
  let begin: (response: Response) => void = () => {}
  const begun = new Promise<Response>(resolve => {
    begin = resolve
  })
  const endless = new ReadableStream({start: controller => controller.enqueue(BODY.slice(0, 200))})
  const {asked, fetch} = served(
    () => begun,
    () => new Response(null, {status: 202})
  )
  const stopping = new AbortController()
  const sending = sent(fetch, {}, stopping.signal)
  const aborted = expect(sending.then(all)).rejects.toMatchObject({name: 'AbortError'})
  await vi.waitFor(() => expect(asked).toHaveLength(1))
  const response = new Response(endless, {headers: {'Unspool-Run-Id': 'run-1'}})
  if (when === 'in mid-answer') {
    begin(response)
    await sending
  }
  stopping.abort()
  begin(response)
  await aborted
  await vi.waitFor(() => expect(asked).toHaveLength(2))
  expect(asked[1]).toMatchObject({method: 'POST', url: 'http://server/agent/ai-sdk/c%2F1/stop?v=7&run_id=run-1'})
})

test('a run that could not be stopped is told of', async () => {
  const onStopError = vi.fn()
  const stopping = new AbortController()
  const {fetch} = served(() => answered(), unreachable)
  const stream = await sent(fetch, {onStopError}, stopping.signal)
  stopping.abort()
  await expect(all(stream)).rejects.toMatchObject({name: 'AbortError'})
  await vi.waitFor(() => expect(onStopError).toHaveBeenCalledOnce())
})

test('a resume that a newer one takes the place of stops nothing', async () => {
  const {asked, fetch} = served(() => answered())
  const transport = unspoolTransport({api: '/ai-sdk', fetch})
  const first = new AbortController()
  await transport.reconnectToStream({chatId: 'c', abortSignal: first.signal})
  first.abort()
  const stream = await transport.reconnectToStream({chatId: 'c'})
  expect(stream && (await all(stream))).toEqual(CHUNKS)
  for (let turn = 0; turn < 2; turn++) await new Promise(resolve => setTimeout(resolve))
  expect(asked.map(({url}) => url)).toEqual(['/ai-sdk/c/stream', '/ai-sdk/c/stream'])
  const nothing = served(() => new Response(null, {status: 204}))
  expect(await unspoolTransport({api: '/x', fetch: nothing.fetch}).reconnectToStream({chatId: 'c'})).toBeNull()
})

test("a chat's messages are asked for once, and its answers are read as the SDK reads them", async () => {
  const approvals = [
    {toolCallId: 'constructor', id: 'i:0', approved: false, reason: 'No.'},
    {toolCallId: 'gone', id: 'i:1', approved: true}
  ]
  const tool = {type: 'tool-input-available', toolCallId: 'constructor', toolName: 'rm', input: {}, dynamic: true}
  const failed = [{type: 'start', messageId: 'run-2'}, tool, {type: 'error', errorText: 'No.'}, {type: 'finish'}]
  const answers = [
    {id: 'run-1', role: 'assistant', chunks: CHUNKS},
    {id: 'run-2', role: 'assistant', chunks: failed, approvals},
    {id: 'run-3', role: 'assistant', chunks: []}
  ]
  const past = {messages: [QUESTION, {id: 's', role: 'system'}, ...answers], running: null}
  const {asked, fetch} = served(() => Response.json(past))
  const api = 'http://server/agent/ai-sdk/?v=7'
  const messages = await loadMessages({api, id: 'c/1', fetch, headers: async () => ({Authorization: 'Bearer x'})})
  expect(messages).toMatchObject([
    QUESTION,
    {id: 's', role: 'system', parts: []},
    {
      id: 'run-1',
      role: 'assistant',
      metadata: {runId: 'run-1'},
      parts: [{type: 'text', text: 'aé[DONE]\n', state: 'done'}]
    },
    {id: 'run-2', parts: [{toolCallId: 'constructor', approval: {id: 'i:0', approved: false, reason: 'No.'}}]},
    {id: 'run-3', role: 'assistant', parts: []}
  ])
  expect(messages).toHaveLength(5)
  expect(asked).toHaveLength(1)
  expect(asked[0]).toMatchObject({method: 'GET', url: 'http://server/agent/ai-sdk/c%2F1/messages?v=7', body: undefined})
  expect(asked[0]?.headers.get('authorization')).toBe('Bearer x')
})

test('a chat that cannot be loaded is an error, with the words of the server', async () => {
  const {fetch} = served(() => new Response('Not yours.', {status: 403}))
  await expect(loadMessages({api: '/ai-sdk', id: 'c', fetch})).rejects.toThrow('Not yours.')
  await expect(loadMessages({api: '/ai-sdk', id: 'c', fetch: served(unreachable).fetch})).rejects.toThrow(TypeError)
})

test('the run whose answer was not loaded is resumed by its id, until its end was heard or another begins', async () => {
  const running = (id: string | null) => () => Response.json({messages: [], running: id})
  const {asked, fetch} = served(running('run-1'), () => answered())
  const transport = unspoolTransport({api: '/ai-sdk', fetch})
  await transport.loadMessages('c')
  for (const chatId of ['other', 'c', 'c']) {
    const stream = await transport.reconnectToStream({chatId})
    expect(stream && (await all(stream))).toEqual(CHUNKS)
  }
  const resumed = '/ai-sdk/c/stream?run_id=run-1&replay=1'
  expect(asked.map(({url}) => url)).toEqual(['/ai-sdk/c/messages', '/ai-sdk/other/stream', resumed, '/ai-sdk/c/stream'])

  const later = served(running('run-1'), running(null), () => answered())
  const reloaded = unspoolTransport({api: '/ai-sdk', fetch: later.fetch})
  for (let times = 0; times < 2; times++) await reloaded.loadMessages('c')
  await reloaded.reconnectToStream({chatId: 'c'})
  expect(later.asked.at(-1)?.url).toBe('/ai-sdk/c/stream')

  const asking = served(running('run-1'), () => answered())
  const asks = unspoolTransport({api: '/ai-sdk', fetch: asking.fetch})
  await asks.loadMessages('c')
  const sent = {messageId: undefined, messages: [QUESTION], abortSignal: undefined}
  await (await asks.sendMessages({trigger: 'submit-message', chatId: 'c', ...sent})).cancel()
  await asks.reconnectToStream({chatId: 'c'})
  expect(asking.asked.at(-1)?.url).toBe('/ai-sdk/c/stream')
})
