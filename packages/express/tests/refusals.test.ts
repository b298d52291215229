/** What is refused, and how: statuses, problems, other people's runs, and nothing of an error that was not for clients. */

import {type AgentOptions, createAgent, SourceError, type SourceItem} from '@unspool/express'
import express from 'express'
import {describe, expect, test} from 'vitest'
import {agentAt, type Json, json, post, scripted, served, streamed, textOf} from './support.js'

const START = ['stream', 'runs', 'invoke'] as const

describe('a body that cannot be used is a problem, and starts nothing', () => {
  // spec: HTTP-14, LIM-3
  test.each<[content: string | Uint8Array, status: number, detail: string]>([
    ['', 400, 'not valid JSON'],
    ['{', 400, 'not valid JSON'],
    [new Uint8Array([...Buffer.from('{"input": "'), 0xff, ...Buffer.from('"}')]), 400, 'not valid JSON'],
    [`{"input": ${'['.repeat(100_000)}`, 400, 'not valid JSON'],
    [`{"input": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 400, 'nested more than 200 levels deep'],
    ['[]', 422, 'Expected `object`'],
    ['{}', 422, '`input`'],
    ['{"input": 1, "run_id": "a b"}', 422, '$.run_id'],
    ['{"input": 1, "run_id": ""}', 422, '$.run_id'],
    [`{"input": 1, "run_id": "${'x'.repeat(129)}"}`, 422, '$.run_id'],
    ['{"input": 1, "run_id": "a\\n"}', 422, '$.run_id'],
    ['{"input": 1, "thread_id": 5}', 422, '$.thread_id'],
    ['{"input": 1, "replaces": []}', 422, '$.replaces'],
    ['{"input": 1, "config": []}', 422, '$.config'],
    ['{"input": 1, "inptu": 2}', 422, '`inptu`'],
    ['{"input": 1, "__proto__": {}}', 422, '`__proto__`']
  ])('case %#', async (content, status, detail) => {
    const {source, calls} = scripted(['a'])
    const {url} = await agentAt(source)
    for (const path of START) {
      const response = await post(`${url}/${path}`, content)
      expect([response.status, response.headers.get('Content-Type')]).toEqual([status, 'application/problem+json'])
      const problem = await json(response)
      expect(problem).toMatchObject({status, code: 'validation', type: 'urn:unspool:error:validation'})
      expect(problem.detail).toContain(detail)
    }
    expect((await json(fetch(`${url}/runs`))).runs).toEqual([])
    expect(calls).toEqual([])
  })
})

/** What has a value in it, so many levels deep. */
type Wrapping = [path: string, body: (value: string) => string, own: number]

/** So many arrays, one in the other. */
const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)

test('a body may have 200 levels, whoever has parsed it, and one more is refused wherever a body is read', async () => {
  // spec: LIM-4, HTTP-14
  const {source, calls} = scripted([{type: 'interrupt', interrupt_id: 'i'}])
  const app = express()
  for (const [path, parsers] of [
    ['/raw', []],
    ['/parsed', [express.json()]]
  ] as const) {
    app.use(path, ...parsers, createAgent(source).router)
  }
  const {url} = await served(app)
  const headers = {'Content-Type': 'application/json'}
  for (const at of [`${url}/raw`, `${url}/parsed`]) {
    const {runId} = await streamed(at, {input: 1}, headers)
    const before = (await json(fetch(`${at}/runs`))).runs
    const asked = calls.length
    const bodies: Wrapping[] = [
      ...START.map((path): Wrapping => [path, value => `{"input": ${value}}`, 1]),
      ['runs', value => `{"input": 1, "config": {"a": [{"b": ${value}}]}}`, 4],
      ['batch', value => `{"inputs": [1, ${value}]}`, 2],
      [`runs/${runId}/resume`, value => `{"answer": ${value}}`, 1],
      ['feedback', value => `{"run_id": "${runId}", "value": ${value}}`, 1]
    ]
    for (const [path, body, own] of bodies) {
      const response = await post(`${at}/${path}`, body(nested(201 - own)), headers)
      expect([path, response.status]).toEqual([path, 400])
      expect((await json(response)).detail).toBe('the request is nested more than 200 levels deep')
    }
    expect([(await json(fetch(`${at}/runs`))).runs, calls.length]).toEqual([before, asked])
    for (const [path, body, own] of bodies) {
      const response = await post(`${at}/${path}`, body(nested(200 - own)), headers)
      expect([path, Math.floor(response.status / 100)]).toEqual([path, 2])
      await response.text()
    }
    const flat = JSON.stringify({input: ['"[{'.repeat(300), Array(300).fill([{}]), null]})
    expect((await post(`${at}/runs`, flat, headers)).status).toBe(202)
  }
})

test('deep JSON in an address is text, or refused', async () => {
  // spec: LIM-4
  const {source, calls} = scripted(['a'])
  const {url} = await agentAt(source)
  for (const levels of [200, 201, 2000]) {
    await (await fetch(`${url}/stream?input=${nested(levels)}`)).text()
    const config = await fetch(`${url}/stream?input=hi&config={"a":${nested(levels - 1)}}`)
    expect([levels, config.status]).toEqual([levels, levels === 200 ? 200 : 422])
    await config.text()
  }
  const inputs = calls.map(({input}) => input).filter(input => input !== 'hi')
  expect(inputs).toEqual([JSON.parse(nested(200)), nested(201), nested(2000)])
})

function chunked(...parts: string[]): RequestInit {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const part of parts) controller.enqueue(new TextEncoder().encode(part))
      controller.close()
    }
  })
  return {method: 'POST', body, duplex: 'half'} as RequestInit
}

test('a body at the limit is taken, and one byte more refused, with a length and without', async () => {
  // spec: LIM-3
  const {url} = await agentAt(scripted(['a']).source, {maxBodyBytes: 100})
  const body = (size: number) => `{"input": "${'x'.repeat(size - 13)}"}`
  expect((await post(`${url}/runs`, body(100))).status).toBe(202)
  expect((await fetch(`${url}/runs`, chunked(body(100).slice(0, 50), body(100).slice(50)))).status).toBe(202)
  for (const refused of [
    await post(`${url}/runs`, body(101)),
    await fetch(`${url}/runs`, chunked(body(101).slice(0, 50), body(101).slice(50)))
  ]) {
    expect([refused.status, (await json(refused)).detail]).toEqual([413, expect.stringContaining('100 bytes')])
  }
})

test.each([
  ['JSON', express.json()],
  ['text', express.text({type: '*/*'})],
  ['bytes', express.raw({type: '*/*'})]
])('the body is also found where the app has read it already, as %s', async (_, parser) => {
  const {source, calls} = scripted(['a'])
  const app = express()
  app.use(parser)
  app.use('/agent', createAgent(source, {maxBodyBytes: 100}).router)
  const {url} = await served(app)
  const headers = {'Content-Type': 'application/json'}
  expect(textOf((await streamed(`${url}/agent`, {input: 'é'}, headers)).events)).toBe('a')
  expect(calls[0]?.input).toBe('é')
  expect((await post(`${url}/agent/runs`, {input: 'x'.repeat(100)}, headers)).status).toBe(413)
  expect((await post(`${url}/agent/runs`, [], headers)).status).toBe(422)
})

test('a cursor that was never issued is refused', async () => {
  // spec: CUR-1, CUR-2
  const {url} = await agentAt(scripted(['a']).source)
  const {runId} = await streamed(url, {input: 1})
  const follow = `${url}/runs/${runId}/stream`
  for (const cursor of ['garbage', '-1', '99', 'another-run:1', `${runId}:99`]) {
    for (const response of [
      await fetch(follow, {headers: {'Last-Event-ID': cursor}}),
      await fetch(`${follow}?after=${cursor}`)
    ]) {
      expect([response.status, (await json(response)).code]).toEqual([409, 'cursor_unknown'])
    }
  }
})

test('a cursor that retention overtook is told so', async () => {
  // spec: CUR-5
  const {url} = await agentAt(scripted(['a']).source, {retention: {maxRuns: 2}})
  const ids = []
  for (const input of [1, 2, 3]) ids.push((await streamed(url, {input})).runId)
  const [first, second] = ids
  const gone = await fetch(`${url}/runs/${first}/stream?after=1`)
  expect([gone.status, (await json(gone)).code]).toEqual([410, 'cursor_expired'])
  expect(await json(fetch(`${url}/runs/${first}`))).toMatchObject({status: 'completed', first_seq: 6, last_seq: 5})
  expect((await fetch(`${url}/runs/${second}/stream?after=1`)).status).toBe(200)
})

test('unknown runs and bad parameters are refused', async () => {
  // spec: HTTP-15
  const {url} = await agentAt(scripted(['a']).source)
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/stream'],
    ['POST', '/cancel'],
    ['POST', '/resume']
  ] as const) {
    const body = method === 'POST' ? {body: '{"answer": 1}'} : {}
    const response = await fetch(`${url}/runs/no-such-run${path}`, {method, ...body})
    expect([response.status, (await json(response)).code]).toEqual([404, 'not_found'])
  }
  const queries = [
    'runs?limit=0',
    'runs?limit=201',
    'runs?limit=x',
    'stream',
    'stream?input=x&config=[',
    'threads?limit=0'
  ]
  for (const query of [...queries, 'stream?input=x&run_id=a%20b']) {
    expect([query, (await fetch(`${url}/${query}`)).status]).toEqual([query, 422])
  }
  for (const missing of ['runs?before=none', 'threads?before=none', 'threads/none']) {
    expect([missing, (await fetch(`${url}/${missing}`)).status]).toEqual([missing, 404])
  }
  for (const inputs of [[], Array(101).fill(1), 'x']) {
    expect((await post(`${url}/batch`, {inputs})).status).toBe(422)
  }
  const {runId} = await streamed(url, {input: 1})
  expect((await fetch(`${url}/runs/${runId}?include=x`)).status).toBe(422)
  expect((await post(`${url}/runs`, {input: 1}, {'Idempotency-Key': 'k'.repeat(256)})).status).toBe(422)
  expect((await post(`${url}/runs`, {input: 1}, {'Idempotency-Key': 'k'.repeat(255)})).status).toBe(202)
})

test('a method that a path does not have is refused, and HEAD starts and holds nothing', async () => {
  // spec: HTTP-2
  const {source, calls} = scripted(['a'])
  const {url} = await agentAt(source)
  const {runId} = await streamed(url, {input: 1})
  for (const [method, path, allow] of [
    ['HEAD', 'stream?input=x', 'GET, POST'],
    ['HEAD', `runs/${runId}/stream`, 'GET'],
    ['PUT', 'runs', 'GET, POST'],
    ['GET', 'invoke', 'POST']
  ] as const) {
    const response = await fetch(`${url}/${path}`, {method})
    expect([path, response.status, response.headers.get('Allow')]).toEqual([path, 405, allow])
  }
  expect(calls).toHaveLength(1)
})

test('what is not of the protocol is left to the app', async () => {
  const app = express()
  app.use(createAgent(scripted(['a']).source).router)
  app.get('/other', (_req, res) => void res.send('mine'))
  app.options('/stream', (_req, res) => void res.status(204).set('X-Preflight', 'mine').end())
  const {url} = await served(app)
  expect(await (await fetch(`${url}/other`)).text()).toBe('mine')
  expect((await fetch(`${url}/stream`, {method: 'OPTIONS'})).headers.get('X-Preflight')).toBe('mine')
  expect((await post(`${url}/tickets`, {})).status).toBe(404)
})

const BY_HEADER: AgentOptions = {authenticate: async req => req.get('X-User')}

test('nobody sees or touches the runs of another principal', async () => {
  // spec: SEC-1
  const ann = {'X-User': 'ann'}
  const bob = {'X-User': 'bob'}
  const {url} = await agentAt(scripted(['a', {type: 'interrupt', interrupt_id: 'i'}]).source, BY_HEADER)
  const {runId} = await streamed(url, {input: 1, thread_id: 't'}, ann)
  const run = `${url}/runs/${runId}`
  const ask = async (method: string, address: string) => {
    const body = method === 'POST' ? {body: '{"answer": 1}'} : {}
    const response = await fetch(address, {method, headers: bob, ...body})
    return {status: response.status, problem: await json(response)}
  }
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/stream'],
    ['POST', '/cancel'],
    ['POST', '/resume']
  ] as const) {
    const foreign = await ask(method, run + path)
    const missing = await ask(method, `${url}/runs/x${path}`)
    expect(foreign.status).toBe(404)
    expect(JSON.parse(JSON.stringify(foreign).replaceAll(runId, 'x'))).toEqual(missing)
  }
  const byCursor = await fetch(`${url}/stream?input=1`, {headers: {...bob, 'Last-Event-ID': `${runId}:1`}})
  expect(byCursor.status).toBe(404)
  expect((await post(`${url}/feedback`, {run_id: runId, score: 1}, bob)).status).toBe(404)
  expect((await post(`${url}/runs`, {input: 1, thread_id: 't', replaces: runId}, bob)).status).toBe(404)
  expect((await json(fetch(`${url}/runs`, {headers: bob}))).runs).toEqual([])
  expect((await json(fetch(`${url}/threads`, {headers: bob}))).threads).toEqual([])
  expect((await fetch(`${url}/threads/t`, {headers: bob})).status).toBe(404)
  const taken = await post(`${url}/stream`, {input: 1, thread_id: 't', run_id: runId}, bob)
  expect([taken.status, (await json(taken)).code]).toEqual([409, 'conflict'])
  const nobody = await fetch(run)
  expect([nobody.status, (await json(nobody)).code]).toEqual([401, 'auth'])
  expect((await fetch(run, {headers: {'X-User': ''}})).status).toBe(401)
  expect((await fetch(run, {headers: ann})).status).toBe(200)
})

test('who is not known starts nothing', async () => {
  // spec: SEC-1
  const {source, calls} = scripted(['a'])
  const {url} = await agentAt(source, BY_HEADER)
  for (const path of [...START, 'batch', 'feedback'])
    expect((await post(`${url}/${path}`, {input: 1})).status).toBe(401)
  for (const path of ['stream?input=1', 'runs', 'threads', 'threads/t', 'schemas']) {
    expect((await fetch(`${url}/${path}`)).status).toBe(401)
  }
  expect(calls).toEqual([])
})

test('a mount does not show the runs of another mount', async () => {
  // spec: SEC-2
  const app = express()
  for (const path of ['/agent', '/other']) app.use(path, createAgent(scripted(['a']).source).router)
  const {url} = await served(app)
  const {runId} = await streamed(`${url}/agent`, {input: 1})
  expect((await fetch(`${url}/other/runs/${runId}`)).status).toBe(404)
  expect((await json(fetch(`${url}/other/runs`))).runs).toEqual([])
})

const SECRET = 'key sk-secret-123'

test('nothing of an error that was not for clients reaches them, and the server is told', async () => {
  // spec: ERR-2
  class Leaky extends Error {
    override readonly name = SECRET
    readonly status = SECRET
  }
  const thrown = new Leaky(SECRET, {cause: new Error(SECRET)})
  const told: {error: unknown; errorId?: string; runId?: string}[] = []
  const {url} = await agentAt(scripted(['a', 'b'], {fail: {1: thrown}}).source, {
    onError: (error, report) => told.push({error, ...report})
  })
  const run = await streamed(url, {input: 1})
  const shown = await (await fetch(`${url}/runs/${run.runId}?include=transcript`)).text()
  const invoked = await post(`${url}/invoke`, {input: 1})
  const problem = await invoked.text()
  const error = run.events.at(-2)
  expect(error).toEqual({
    type: 'error',
    code: 'internal',
    message: 'Something went wrong on the server.',
    error_id: expect.stringMatching(/^[0-9a-f]{12}$/)
  })
  expect(run.events.at(-1).status).toBe('failed')
  expect(run.text + shown + problem).not.toMatch(/secret|Leaky|\.ts|node_modules/)
  expect([invoked.status, JSON.parse(problem).code]).toEqual([500, 'internal'])
  expect(told[0]).toEqual({error: thrown, errorId: error.error_id, runId: run.runId})
})

test.each([
  [
    'that throws',
    () => {
      throw new Error(SECRET)
    }
  ],
  ['that rejects', () => Promise.reject(new Error(SECRET))]
])('an authenticate %s is an internal problem that says nothing', async (_, authenticate) => {
  // spec: ERR-2
  const told: unknown[] = []
  const {url} = await agentAt(scripted(['a']).source, {
    authenticate,
    onError: (error, report) => told.push(error, report)
  })
  const response = await fetch(`${url}/runs`)
  const body = await response.text()
  expect([response.status, body.includes('secret')]).toEqual([500, false])
  expect(told).toEqual([new Error(SECRET), {errorId: JSON.parse(body).error_id}])
})

test('a logger that fails takes nothing down', async () => {
  const {url} = await agentAt(scripted(['a'], {fail: {0: new Error('x')}}).source, {
    onError: () => {
      throw new Error('the disk is full')
    }
  })
  expect((await streamed(url, {input: 1})).events.at(-1)).toMatchObject({type: 'end', status: 'failed'})
})

test('a source chooses what the client is told', async () => {
  // spec: ERR-1, ERR-3, HTTP-9
  const failure = new SourceError('Try tomorrow.', {code: 'rate_limit', retryAfter: 59.5})
  const {url} = await agentAt(scripted(['a'], {fail: {0: failure}}).source)
  const {events} = await streamed(url, {input: 1})
  const told = {code: 'rate_limit', message: 'Try tomorrow.', retryable: true, retry_after: 59.5}
  expect(events.at(-2)).toEqual({type: 'error', ...told})
  const response = await post(`${url}/invoke`, {input: 1})
  expect([response.status, response.headers.get('Retry-After')]).toEqual([429, '60'])
  expect(await json(response)).toEqual({
    type: 'urn:unspool:error:rate_limit',
    title: 'The run failed',
    status: 429,
    detail: 'Try tomorrow.',
    code: 'rate_limit',
    retryable: true,
    retry_after: 59.5,
    run_id: expect.any(String)
  })
})

test.each([{retryAfter: Number.NaN}, {code: 5 as never}, {message: 'x'.repeat(5_000_000)}])(
  'an error of a source that cannot be written still ends its run: case %#',
  async ({message = 'Told.', ...options}) => {
    // spec: EVT-2
    const {url} = await agentAt(scripted(['a'], {fail: {0: new SourceError(message, options)}}).source)
    const {events} = await streamed(url, {input: 1})
    expect(events.map(({type}: Json) => type)).toEqual(['start', 'error', 'end'])
    expect(events[2].status).toBe('failed')
  }
)

test('an error event of the source itself fails the run', async () => {
  // spec: ERR-1
  const {url} = await agentAt(scripted(['a', {type: 'error', code: 'provider', message: 'Words of its own.'}]).source)
  const {events} = await streamed(url, {input: 1})
  expect(events.filter(({type}: Json) => type === 'error')).toHaveLength(1)
  expect(events.at(-1).status).toBe('failed')
})

test('an output that is not JSON fails the run', async () => {
  // spec: EVT-2, ERR-2
  async function* source(): AsyncGenerator<SourceItem> {
    yield 'a'
    return 1n
  }
  const {url} = await agentAt(source)
  const {events} = await streamed(url, {input: 1})
  expect(events.slice(-2)).toMatchObject([
    {type: 'error', code: 'validation'},
    {type: 'end', status: 'failed'}
  ])
})

test('limits that cannot work are refused when the agent is made', () => {
  const {source} = scripted([])
  for (const options of [
    {maxRuns: 0},
    {maxBodyBytes: 0},
    {maxEventBytes: -1},
    {maxEventBytes: 4 * 1024 * 1024 + 1},
    {heartbeat: 0},
    {drainTimeout: Number.NaN},
    {timeouts: {idle: 0}},
    {retention: {maxRuns: -1}},
    {retention: {maxAge: -1}}
  ] satisfies AgentOptions[]) {
    expect(() => createAgent(source, options)).toThrow(RangeError)
  }
})
