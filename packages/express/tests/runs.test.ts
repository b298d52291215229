/** Runs over HTTP, on a real server: started, followed, resumed, cancelled, answered. */

import type {SourceItem} from '@unspool/express'
import {expect, test} from 'vitest'
import {
  aborted,
  agentAt,
  framesIn,
  type Json,
  json,
  post,
  promised,
  readUntil,
  scripted,
  streamed,
  textOf
} from './support.js'

test('a run is streamed with contiguous ids and ends once', async () => {
  // spec: HTTP-1, SSE-1, SSE-2, EVT-1, EVT-2
  const {url} = await agentAt(scripted(['a', 'b', ' c']).source, {name: 'mine'})
  const run = await streamed(url, {input: 'hi', thread_id: 't1'})
  expect(run.status).toBe(200)
  expect(run.headers.get('Content-Type')).toMatch(/^text\/event-stream/)
  expect(run.headers.get('Cache-Control')).toBe('no-cache, no-transform')
  expect(run.headers.get('X-Accel-Buffering')).toBe('no')
  expect(run.text.startsWith('retry: 1000\n\nid: 1\n')).toBe(true)
  expect(run.events.map(({type}) => type)).toEqual([
    'start',
    'message_start',
    'token',
    'token',
    'token',
    'message_end',
    'end'
  ])
  expect(run.events[0]).toMatchObject({run_id: run.runId, source: 'mine', input: 'hi', thread_id: 't1'})
  expect(run.events.at(-1)).toMatchObject({status: 'completed', metrics: {tokens: 3}})
  expect(run.ids).toEqual(['1', '2', '3', '4', '5', '6', '7'])
  expect(textOf(run.events)).toBe('ab c')
})

test('lines carry the same events', async () => {
  // spec: NDJSON-1
  const {url} = await agentAt(scripted(['a', '\u2028\n']).source)
  const run = await streamed(url, {input: 1}, {Accept: 'application/x-ndjson'})
  const records = run.text
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line) as Json)
  expect(run.headers.get('Content-Type')).toBe('application/x-ndjson')
  expect(records.map(({seq}) => seq)).toEqual([1, 2, 3, 4, 5, 6])
  expect(records[3].event.text).toBe('\u2028\n')
  expect(run.text).toMatch(/^\{"seq":1,"at":\d+\.\d{3},"event":\{"type":"start",/)
})

test('of two types that are accepted the first one counts', async () => {
  const {url} = await agentAt(scripted(['a']).source)
  const lines = await streamed(url, {input: 1}, {Accept: 'application/x-ndjson, text/event-stream'})
  const events = await streamed(url, {input: 1}, {Accept: 'text/event-stream, application/x-ndjson'})
  expect(lines.headers.get('Content-Type')).toBe('application/x-ndjson')
  expect(events.headers.get('Content-Type')).toMatch(/^text\/event-stream/)
})

test('a follower resumes from any seq', async () => {
  // spec: HTTP-3, HTTP-4, CUR-1, CUR-4
  const {url} = await agentAt(scripted(['a', 'b', 'c']).source)
  const whole = await streamed(url, {input: 1})
  const run = `${url}/runs/${whole.runId}/stream`
  for (let after = 0; after < 7; after += 1) {
    const frames = framesIn(await (await fetch(`${run}?after=${after}`)).text())
    expect(frames.map(({event}) => event)).toEqual(whole.events.slice(after))
  }
  const byHeader = await fetch(`${run}?after=1`, {headers: {'Last-Event-ID': '5'}})
  expect(framesIn(await byHeader.text()).map(({id}) => id)).toEqual(['6', '7'])
  const done = await fetch(run, {headers: {'Last-Event-ID': '7'}})
  expect([done.status, await done.text()]).toEqual([204, ''])
})

test('EventSource resumes its run instead of starting another', async () => {
  // spec: HTTP-2, CUR-3
  const {source, calls} = scripted(['a', 'b'])
  const {url} = await agentAt(source)
  const asked = `${url}/stream?input=${encodeURIComponent('{"q": 1}')}&config=${encodeURIComponent('{"c":2}')}`
  const first = await fetch(asked)
  const ids = framesIn(await first.text()).map(({id}) => id)
  const again = await fetch(asked, {headers: {'Last-Event-ID': ids[1] as string}})
  expect(framesIn(await again.text()).map(({id}) => id)).toEqual(ids.slice(2))
  expect(ids[0]).toBe(`${first.headers.get('Unspool-Run-Id')}:1`)
  expect(calls.map(({input, config}) => [input, config])).toEqual([[{q: 1}, {c: 2}]])
  const head = await fetch(asked, {method: 'HEAD'})
  expect([head.status, head.headers.get('Allow'), calls.length]).toEqual([405, 'GET, POST', 1])
})

test('a cursor in the request for a new run starts none', async () => {
  // spec: HTTP-24, CUR-2
  const {source, calls} = scripted(['a'])
  const {url} = await agentAt(source)
  const ask = (method: string, query: string, headers: Record<string, string> = {}, more: Json = {}) => {
    const asked = new URLSearchParams({input: 'hi', ...more})
    if (method === 'GET') return fetch(`${url}/stream?${asked}${query}`, {headers})
    return post(`${url}/stream?${query}`, {input: 'hi', ...more}, headers)
  }
  for (const method of ['GET', 'POST']) {
    for (const cursor of ['1', '-1', 'x', 'r:0', 'r:1']) {
      const refused = [await ask(method, `&after=${cursor}`)]
      if (method === 'POST' || !cursor.includes(':')) refused.push(await ask(method, '', {'Last-Event-ID': cursor}))
      for (const response of refused) {
        expect([cursor, response.status, (await json(response)).code]).toEqual([cursor, 409, 'cursor_unknown'])
      }
    }
    expect((await ask(method, '&after=0', {'Last-Event-ID': '1'})).status).toBe(409)
  }
  expect([calls.length, (await json(fetch(`${url}/runs`))).runs]).toEqual([0, []])
  for (const [index, method] of ['GET', 'POST'].entries()) {
    for (const [query, headers] of [
      ['&after=0', {}],
      ['&after=5', {'Last-Event-ID': '0'}]
    ] as const) {
      const response = await ask(method, query, headers)
      expect([response.status, framesIn(await response.text()).length]).toEqual([200, 5])
    }
    for (const [more, headers] of [
      [{run_id: `r${index}`}, {}],
      [{}, {'Idempotency-Key': `k${index}`}]
    ] as const) {
      await (await ask(method, '', headers, more)).text()
      const response = await ask(method, '&after=3', headers, more)
      expect([response.status, framesIn(await response.text()).length]).toEqual([200, 2])
    }
  }
  expect(calls).toHaveLength(8)
})

test('text in a query stays text, a number too', async () => {
  const {source, calls} = scripted(['a'])
  const {url} = await agentAt(source)
  for (const input of ['5', '{not json', '[1]', 'a b']) {
    await (await fetch(`${url}/stream?${new URLSearchParams({input, thread_id: 't'})}`)).text()
  }
  expect(calls.map(({input}) => input)).toEqual(['5', '{not json', [1], 'a b'])
  expect(calls[0]?.threadId).toBe('t')
})

test('starts with one key are one run', async () => {
  // spec: HTTP-5
  const {source, calls} = scripted(['a'])
  const {url} = await agentAt(source, {authenticate: req => req.get('X-User') ?? 'ann'})
  const starts = Array.from({length: 8}, () => streamed(url, {input: {a: 1, b: 2}}, {'Idempotency-Key': 'k'}))
  const runs = new Set((await Promise.all(starts)).map(({runId}) => runId))
  const otherOrder = await streamed(url, {input: {b: 2, a: 1}}, {'Idempotency-Key': 'k'})
  expect(runs).toEqual(new Set([otherOrder.runId]))
  expect(calls).toHaveLength(1)
  const other = await post(`${url}/stream`, {input: 2}, {'Idempotency-Key': 'k'})
  expect([other.status, (await json(other)).code]).toEqual([422, 'validation'])
  const bob = await streamed(url, {input: {a: 1, b: 2}}, {'Idempotency-Key': 'k', 'X-User': 'bob'})
  expect(runs.has(bob.runId)).toBe(false)
})

test('the same run id and body find the same run', async () => {
  // spec: HTTP-6
  const {source, calls} = scripted(['a'])
  const {url} = await agentAt(source)
  const first = await streamed(url, {input: 1, run_id: 'my-run'})
  const again = await streamed(url, {input: 1, run_id: 'my-run'})
  expect(again.text).toBe(first.text)
  expect(calls).toHaveLength(1)
  for (const body of [{input: 2}, {input: 1, config: {x: 1}}, {input: 1, thread_id: 't'}]) {
    const other = await post(`${url}/stream`, {...body, run_id: 'my-run'})
    expect([other.status, (await json(other)).code]).toEqual([409, 'conflict'])
  }
})

test('a cancel in mid-answer keeps what was said, and closes the source', async () => {
  // spec: HTTP-7
  const {source, reached, closed} = scripted(['a', 'b', 'never'], {stallAt: 2})
  const {url} = await agentAt(source)
  const started = await post(`${url}/runs`, {input: 1})
  expect(started.status).toBe(202)
  const run = new URL(started.headers.get('Location') as string, url).href
  await reached
  const cancelled = await post(`${run}/cancel`, '')
  expect([cancelled.status, (await json(cancelled)).cancel_requested]).toEqual([202, true])
  const frames = framesIn(await (await fetch(`${run}/stream`)).text())
  expect(textOf(frames.map(({event}) => event))).toBe('ab')
  expect(frames.at(-1)?.event.status).toBe('cancelled')
  expect(closed()).toBe(1)
  const again = await post(`${run}/cancel`, '')
  expect([again.status, (await json(again)).status]).toEqual([200, 'cancelled'])
  expect(await json(fetch(run))).toMatchObject({status: 'cancelled', output: 'ab'})
})

test('a run that ended otherwise cannot be cancelled', async () => {
  // spec: HTTP-7
  const {url} = await agentAt(scripted(['a']).source)
  const {runId} = await streamed(url, {input: 1})
  const response = await post(`${url}/runs/${runId}/cancel`, '')
  expect([response.status, (await json(response)).code]).toEqual([409, 'conflict'])
})

test('a source that takes no notice of being cancelled does not hold its run up', async () => {
  // spec: HTTP-7
  const standing = promised()
  const go = promised()
  async function* deaf(): AsyncGenerator<SourceItem> {
    yield 'a'
    standing.resolve()
    await go.promise
    yield 'too late'
  }
  const {url} = await agentAt(deaf)
  const started = await json(post(`${url}/runs`, {input: 1}))
  await standing.promise
  await post(`${url}/runs/${started.id}/cancel`, '')
  const frames = framesIn(await (await fetch(`${url}/runs/${started.id}/stream`)).text())
  expect(frames.at(-1)?.event).toMatchObject({type: 'end', status: 'cancelled'})
  go.resolve()
  expect((await json(fetch(`${url}/runs/${started.id}`))).last_seq).toBe(frames.length)
})

test('a source that never waits lets others in, and can be cancelled', async () => {
  async function* endless(): AsyncGenerator<SourceItem> {
    for (;;) yield 'a'
  }
  const {url} = await agentAt(endless)
  const {id} = await json(post(`${url}/runs`, {input: 1}))
  expect((await post(`${url}/runs/${id}/cancel`, '')).status).toBe(202)
  expect((await json(fetch(`${url}/runs/${id}`))).status).toBe('cancelled')
})

test('losing every client does not touch the run', async () => {
  // spec: HTTP-8
  const {source, reached, release} = scripted(['a', 'b', 'c'], {stallAt: 1})
  const {url} = await agentAt(source)
  const response = await post(`${url}/stream`, {input: 1})
  const run = `${url}/runs/${response.headers.get('Unspool-Run-Id')}/stream`
  await reached
  await response.body?.cancel()
  release()
  const frames = framesIn(await (await fetch(run)).text())
  expect(textOf(frames.map(({event}) => event))).toBe('abc')
  expect(frames.at(-1)?.event.status).toBe('completed')
})

test('several followers of one run get the same, whenever they come', async () => {
  // spec: CUR-4
  const {source, reached, release} = scripted(['a', 'b'], {stallAt: 1})
  const {url} = await agentAt(source)
  const {id} = await json(post(`${url}/runs`, {input: 1}))
  await reached
  const early = [0, 1, 2].map(async () => (await fetch(`${url}/runs/${id}/stream`)).text())
  const other = await fetch(`${url}/runs/${id}/stream`)
  await (await readUntil(other, '"a"')).cancel()
  release()
  const texts = await Promise.all(early)
  const late = await (await fetch(`${url}/runs/${id}/stream`)).text()
  expect(new Set([...texts, late]).size).toBe(1)
})

test('invoke waits for the output', async () => {
  // spec: HTTP-9
  async function* source(): AsyncGenerator<SourceItem> {
    yield {type: 'usage', input_tokens: 2}
    yield 'a'
    return {sum: 3}
  }
  const {url} = await agentAt(source)
  const response = await post(`${url}/invoke`, {input: 1, thread_id: 't'})
  const run_id = response.headers.get('Unspool-Run-Id')
  const usage = {type: 'usage', input_tokens: 2}
  expect(await json(response)).toEqual({run_id, status: 'completed', thread_id: 't', output: {sum: 3}, usage})
})

test('what no message says is not the output, and text is', async () => {
  // spec: HTTP-9
  const {url} = await agentAt(scripted(['a', 'b']).source)
  expect((await json(post(`${url}/invoke`, {input: 1}))).output).toBe('ab')
})

test('a client that leaves an invoke does not stop its run', async () => {
  // spec: HTTP-8
  const {source, reached, release} = scripted(['a', 'b'], {stallAt: 1})
  const {url} = await agentAt(source)
  const abort = new AbortController()
  const body = JSON.stringify({input: 1, run_id: 'r'})
  const waiting = fetch(`${url}/invoke`, {method: 'POST', body, signal: abort.signal}).catch(() => 'gone')
  await reached
  abort.abort()
  expect(await waiting).toBe('gone')
  release()
  const frames = framesIn(await (await fetch(`${url}/runs/r/stream`)).text())
  expect(frames.at(-1)?.event.status).toBe('completed')
})

test('an interrupted run is answered by another one', async () => {
  // spec: HTTP-10
  const {source, calls} = scripted(['may I?', {type: 'interrupt', interrupt_id: 'i1', value: {ask: 'may I?'}}])
  const {url} = await agentAt(source)
  const first = await streamed(url, {input: 1, thread_id: 't'})
  const run = `${url}/runs/${first.runId}`
  expect(first.events.at(-1).status).toBe('interrupted')
  expect((await json(fetch(run))).interrupts).toEqual([{type: 'interrupt', interrupt_id: 'i1', value: {ask: 'may I?'}}])
  for (const body of [{answers: {i2: true}}, {answers: {}}, {}, {answer: 1, answers: {i1: 1}}]) {
    expect((await post(`${run}/resume`, body)).status).toBe(422)
  }
  const response = await post(`${run}/resume`, {answer: true, config: {c: 1}})
  const [start] = framesIn(await response.text()).map(({event}) => event)
  expect(start).toMatchObject({resumes: first.runId, thread_id: 't'})
  expect(start).not.toHaveProperty('input')
  expect(calls[1]).toMatchObject({answer: {i1: true}, resumes: first.runId, threadId: 't', config: {c: 1}})
})

test('several interrupts are answered by their ids, and null is an answer', async () => {
  // spec: HTTP-10
  const {source, calls} = scripted([
    {type: 'interrupt', interrupt_id: 'a'},
    {type: 'interrupt', interrupt_id: 'b'}
  ])
  const {url} = await agentAt(source)
  const {runId} = await streamed(url, {input: 1})
  const one = await post(`${url}/runs/${runId}/resume`, {answer: 1})
  expect([one.status, (await json(one)).detail]).toEqual([422, expect.stringContaining('a, b')])
  await (await post(`${url}/runs/${runId}/resume`, {answers: {a: null, b: 2}})).text()
  expect(calls[1]).toMatchObject({answer: {a: null, b: 2}, threadId: runId})
})

test('a run that does not wait cannot be answered', async () => {
  // spec: HTTP-10
  const {url} = await agentAt(scripted(['a']).source)
  const {runId} = await streamed(url, {input: 1})
  const response = await post(`${url}/runs/${runId}/resume`, {answer: 1})
  expect([response.status, (await json(response)).code]).toEqual([409, 'conflict'])
})

test('a batch answers in order and tells failures apart', async () => {
  // spec: HTTP-12
  const {url} = await agentAt(async function* ({input}) {
    if (input === 2) throw new Error('secret')
    yield String(Number(input) * 2)
  })
  const {outputs} = await json(post(`${url}/batch`, {inputs: Array.from({length: 25}, (_, index) => index + 1)}))
  expect(outputs).toHaveLength(25)
  expect(outputs.slice(0, 3).map(({status, output}: Json) => [status, output])).toEqual([
    ['completed', '2'],
    ['failed', undefined],
    ['completed', '6']
  ])
  expect(outputs[1].error.code).toBe('internal')
  expect(outputs[24].output).toBe('50')
})

test('a follower may ask for fewer and larger tokens', async () => {
  // spec: HTTP-13
  const {source} = scripted([
    ...'abcdef',
    {type: 'token', message_id: 'other', text: 'x'},
    {type: 'reasoning', message_id: 'other', text: 'y'},
    {type: 'reasoning', message_id: 'other', text: 'z'}
  ])
  const {url} = await agentAt(source)
  const {runId} = await streamed(url, {input: 1})
  const run = `${url}/runs/${runId}/stream`
  const merged = framesIn(await (await fetch(`${run}?coalesce_tokens=4`)).text())
  const said = merged.filter(({event}) => 'text' in event).map(({id, event}) => [id, event.text])
  expect(said).toEqual([
    ['6', 'abcd'],
    ['8', 'ef'],
    ['10', 'x'],
    ['12', 'yz']
  ])
  const inTime = framesIn(await (await fetch(`${run}?coalesce_ms=1`)).text())
  expect(textOf(inTime.map(({event}) => event))).toBe('abcdefx')
  expect(inTime.find(({event}) => event.type === 'token')?.event.text).toBe('abcdef')
  for (const query of ['coalesce_tokens=1', 'coalesce_tokens=1001', 'coalesce_ms=0', 'coalesce_ms=5001']) {
    expect((await fetch(`${run}?${query}`)).status).toBe(422)
    expect((await post(`${url}/stream?${query}`, {input: 1})).status).toBe(422)
  }
  expect((await json(fetch(`${url}/runs`))).runs).toHaveLength(1)
})

test('an idle follower gets heartbeats', async () => {
  // spec: SSE-3
  const {source, release} = scripted(['a', 'b'], {stallAt: 1})
  const {url} = await agentAt(source, {heartbeat: 20})
  const response = await post(`${url}/stream`, {input: 1})
  const reader = await readUntil(response, ':\n\n:\n\n')
  release()
  const decoder = new TextDecoder()
  let rest = ''
  for (let step = await reader.read(); !step.done; step = await reader.read()) rest += decoder.decode(step.value)
  expect(framesIn(rest).at(-1)?.event.status).toBe('completed')
})

test('a follower of lines gets empty ones for heartbeats', async () => {
  // spec: SSE-3, NDJSON-2
  const {source, release} = scripted(['a', 'b'], {stallAt: 1})
  const {url} = await agentAt(source, {heartbeat: 20})
  const reader = await readUntil(await post(`${url}/stream`, {input: 1}, {Accept: 'application/x-ndjson'}), '\n\n\n')
  release()
  await reader.cancel()
  expect((await json(fetch(`${url}/runs`))).runs).toHaveLength(1)
})

test('a source that takes too long is stopped', async () => {
  const limits = [
    {which: 'first_token', timeouts: {firstToken: 30}, stallAt: 0},
    {which: 'idle', timeouts: {idle: 30}, stallAt: 1},
    {which: 'total', timeouts: {total: 30}, stallAt: 1}
  ]
  for (const {which, timeouts, stallAt} of limits) {
    const {source, closed} = scripted(['a', 'never'], {stallAt})
    const {url} = await agentAt(source, {timeouts})
    const {events} = await streamed(url, {input: 1})
    expect(events.at(-2)).toMatchObject({type: 'error', code: 'timeout', detail: {which}, retryable: true})
    expect(events.at(-1).status).toBe('failed')
    expect(closed()).toBe(1)
  }
})

test('there is room for so many runs, and one more is refused', async () => {
  const {source, release} = scripted(['a'], {stallAt: 0})
  const {url} = await agentAt(source, {maxRuns: 2})
  const first = await json(post(`${url}/runs`, {input: 1, run_id: 'r1'}))
  expect((await post(`${url}/runs`, {input: 1, run_id: 'r2'})).status).toBe(202)
  const refused = await post(`${url}/runs`, {input: 1})
  expect([refused.status, refused.headers.get('Retry-After')]).toEqual([503, '2'])
  expect(await json(refused)).toMatchObject({code: 'overloaded', retryable: true, retry_after: 2})
  // It is there already: finding it again takes no room.
  expect((await post(`${url}/runs`, {input: 1, run_id: 'r1'})).status).toBe(202)
  release()
  await (await fetch(`${url}/runs/${first.id}/stream`)).text()
  expect((await post(`${url}/runs`, {input: 1})).status).toBe(202)
})

test('an agent that is closed ends its runs, and takes no more', async () => {
  const {source, reached, closed} = scripted(['a', 'never'], {stallAt: 1})
  const {url, agent} = await agentAt(source)
  const response = await post(`${url}/stream`, {input: 1})
  await reached
  await agent.close({grace: 0})
  const frames = framesIn(await response.text())
  expect(frames.at(-2)?.event).toMatchObject({type: 'error', code: 'lost', retryable: true})
  expect(frames.at(-1)?.event.status).toBe('failed')
  expect(closed()).toBe(1)
  expect((await post(`${url}/runs`, {input: 1})).status).toBe(503)
})

test('an agent that is closed lets its runs end within the grace', async () => {
  const {source, reached, release} = scripted(['a', 'b'], {stallAt: 1})
  const {url, agent} = await agentAt(source)
  const response = await post(`${url}/stream`, {input: 1})
  await reached
  const closing = agent.close()
  release()
  await closing
  expect(framesIn(await response.text()).at(-1)?.event.status).toBe('completed')
})

test('the signal of a call is aborted when its run is cancelled', async () => {
  const seen = promised()
  const {url} = await agentAt(async function* ({signal}) {
    yield 'a'
    await aborted(signal)
    seen.resolve()
  })
  const {id} = await json(post(`${url}/runs`, {input: 1}))
  await readUntil(await fetch(`${url}/runs/${id}/stream`), '"a"')
  await post(`${url}/runs/${id}/cancel`, '')
  await seen.promise
  expect((await json(fetch(`${url}/runs/${id}`))).status).toBe('cancelled')
})

test('a source may make its stream asynchronously', async () => {
  const {url} = await agentAt(async call => scripted(['a']).source(call))
  expect(textOf((await streamed(url, {input: 1})).events)).toBe('a')
})
