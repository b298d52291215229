/** Conversations, runs that take the place of others, schemas and feedback. */

import {expect, test} from 'vitest'
import {agentAt, type Json, json, post, scripted, streamed} from './support.js'

async function asked(url: string, input: unknown, more: Json = {}): Promise<string> {
  return (await streamed(url, {input, thread_id: 't', ...more})).runId
}

function said(messages: Json[]): [string, string][] {
  return messages.map(({role, parts}) => [role, parts[0].text])
}

test('a thread shows what both sides said', async () => {
  // spec: HTTP-11
  const {url} = await agentAt(scripted(['yes']).source)
  await asked(url, 'one?\nmore')
  const last = await asked(url, 'two?')
  await asked(url, 'elsewhere', {thread_id: 'u'})
  await streamed(url, {input: 'in no thread'})
  const {threads, next} = await json(fetch(`${url}/threads`))
  expect(next).toBeNull()
  expect(threads.map(({id, title, runs}: Json) => [id, title, runs])).toEqual([
    ['u', 'elsewhere', 1],
    ['t', 'one?', 2]
  ])
  expect(threads[1]).toMatchObject({last_run_id: last, last_status: 'completed'})
  const thread = await json(fetch(`${url}/threads/t`))
  expect(thread.title).toBe('one?')
  expect(said(thread.messages)).toEqual([
    ['user', 'one?\nmore'],
    ['assistant', 'yes'],
    ['user', 'two?'],
    ['assistant', 'yes']
  ])
  expect(thread.runs.map(({id}: Json) => id).at(-1)).toBe(last)
  expect(thread.runs[0]).not.toHaveProperty('transcript')
})

test.each([
  [`  ${'😀'.repeat(81)}\nrest`, '😀'.repeat(80)],
  ['\n\r\n  first \r\nsecond', 'first'],
  [
    {
      messages: [
        {role: 'system', content: 'x'},
        {role: 'user', content: [{type: 'text', text: 'in a block'}]}
      ]
    },
    'in a block'
  ],
  [{city: 'Utrecht'}, null],
  ['   ', null]
])('the title of a thread: case %#', async (input, title) => {
  // spec: HTTP-11
  const {url} = await agentAt(scripted(['yes']).source)
  await asked(url, input)
  expect((await json(fetch(`${url}/threads/t`))).title).toBe(title)
  expect((await json(fetch(`${url}/threads`))).threads[0].title).toBe(title)
})

test('transcripts come with a thread where they are asked for', async () => {
  // spec: HTTP-16
  const {url} = await agentAt(scripted(['yes']).source)
  const first = await asked(url, 'one?')
  const second = await asked(url, 'one again?', {replaces: first})
  const {runs} = await json(fetch(`${url}/threads/t?include=transcripts`))
  expect(runs[0]).toMatchObject({id: first, replaced: true})
  expect(runs[0]).not.toHaveProperty('transcript')
  expect(runs[1].transcript).toEqual((await json(fetch(`${url}/runs/${second}?include=transcript`))).transcript)
  expect(said(runs[1].transcript.messages)).toEqual([
    ['user', 'one again?'],
    ['assistant', 'yes']
  ])
  expect((await fetch(`${url}/threads/t?include=transcript`)).status).toBe(422)
})

test('a run takes the place of another and of what followed it, wherever runs are shown', async () => {
  // spec: THR-1, THR-2
  const {source, calls} = scripted(['yes'])
  const {url} = await agentAt(source)
  const ids = [await asked(url, 'one'), await asked(url, 'two'), await asked(url, 'three')]
  const edited = await streamed(url, {input: 'TWO', thread_id: 't', replaces: ids[1]})
  expect(edited.events[0]).toMatchObject({replaces: ids[1]})
  const {runs} = await json(fetch(`${url}/runs?thread_id=t`))
  const shown = runs.reverse().map(({replaced, replaces}: Json) => [replaced, replaces])
  expect(shown).toEqual([
    [undefined, undefined],
    [true, undefined],
    [true, undefined],
    [undefined, ids[1]]
  ])
  expect((await json(fetch(`${url}/runs/${ids[2]}`))).replaced).toBe(true)
  const thread = await json(fetch(`${url}/threads/t`))
  expect(said(thread.messages).filter(([role]) => role === 'user')).toEqual([
    ['user', 'one'],
    ['user', 'TWO']
  ])
  // The source is told what it has to forget, and what still counts.
  expect(calls[3]).toMatchObject({replaces: ids[1], replaced: [ids[1], ids[2]]})
  expect(said(calls[3]?.history as Json[])).toEqual([
    ['user', 'one'],
    ['assistant', 'yes']
  ])
})

test('what cannot be replaced is refused, and nothing is started', async () => {
  // spec: THR-3
  const {source, reached, release} = scripted(['yes', 'more'], {stallAt: 1})
  const {url} = await agentAt(source)
  const running = await json(post(`${url}/runs`, {input: 'one', thread_id: 't'}))
  await reached
  const replace = async (more: Json) => {
    const response = await post(`${url}/runs`, {input: 'x', ...more})
    return [response.status, (await json(response)).code]
  }
  expect(await replace({thread_id: 't', replaces: running.id})).toEqual([409, 'conflict'])
  release()
  await (await fetch(`${url}/runs/${running.id}/stream`)).text()
  expect(await replace({replaces: running.id})).toEqual([422, 'validation'])
  expect(await replace({thread_id: 'u', replaces: running.id})).toEqual([422, 'validation'])
  expect(await replace({thread_id: 't', replaces: 'no-such-run'})).toEqual([404, 'not_found'])
  expect((await json(fetch(`${url}/runs`))).runs).toHaveLength(1)
  const second = await asked(url, 'again', {replaces: running.id, run_id: 'second'})
  expect(await replace({thread_id: 't', replaces: running.id})).toEqual([409, 'conflict'])
  // The same request again finds its run.
  expect(await asked(url, 'again', {replaces: running.id, run_id: 'second'})).toBe(second)
  expect((await json(fetch(`${url}/runs`))).runs).toHaveLength(2)
})

test('a run is not replaced while one after it goes on', async () => {
  // spec: THR-3
  const {source, release} = scripted(['a'], {stallAt: 0})
  const {url} = await agentAt(source)
  const first = await json(post(`${url}/runs`, {input: 1, thread_id: 't'}))
  await json(post(`${url}/runs`, {input: 2, thread_id: 't', run_id: 'later'}))
  await post(`${url}/runs/${first.id}/cancel`, '')
  await (await fetch(`${url}/runs/${first.id}/stream`)).text()
  const refused = await post(`${url}/runs`, {input: 3, thread_id: 't', replaces: first.id})
  expect([refused.status, (await json(refused)).code]).toEqual([409, 'conflict'])
  release()
  await (await fetch(`${url}/runs/later/stream`)).text()
  const replaced = await json(post(`${url}/runs`, {input: 3, thread_id: 't', replaces: first.id}))
  expect(replaced.replaces).toBe(first.id)
})

test('GET /stream and /invoke can replace, too', async () => {
  // spec: THR-1
  const {url} = await agentAt(scripted(['a']).source)
  const first = await asked(url, 'one')
  const second = await fetch(`${url}/stream?${new URLSearchParams({input: 'two', thread_id: 't', replaces: first})}`)
  await second.text()
  const replaces = second.headers.get('Unspool-Run-Id')
  await post(`${url}/invoke`, {input: 'three', thread_id: 't', replaces})
  const thread = await json(fetch(`${url}/threads/t`))
  expect(said(thread.messages)).toEqual([
    ['user', 'three'],
    ['assistant', 'a']
  ])
})

test('history is what the thread held before the run, without the run itself', async () => {
  const {source, calls} = scripted(['yes'])
  const {url} = await agentAt(source)
  await asked(url, 'one')
  await asked(url, 'two')
  await asked(url, 'three', {thread_id: 'u'})
  expect(calls.map(({history}) => said(history as Json[]))).toEqual([
    [],
    [
      ['user', 'one'],
      ['assistant', 'yes']
    ],
    []
  ])
})

test('lists come in pages, newest first', async () => {
  // spec: HTTP-11
  const {url} = await agentAt(scripted(['a']).source)
  for (const thread_id of ['a', 'b', 'c']) await asked(url, thread_id, {thread_id})
  const ids = async (path: string, list: string) => {
    const page = await json(fetch(`${url}/${path}`))
    return {ids: page[list].map(({id, thread_id}: Json) => thread_id ?? id), next: page.next}
  }
  const first = await ids('runs?limit=2', 'runs')
  expect(first.ids).toEqual(['c', 'b'])
  expect(await ids(`runs?limit=2&before=${first.next}`, 'runs')).toEqual({ids: ['a'], next: null})
  expect(await ids('threads?limit=2', 'threads')).toEqual({ids: ['c', 'b'], next: 'b'})
  expect(await ids('threads?limit=2&before=b', 'threads')).toEqual({ids: ['a'], next: null})
  expect(await ids('runs?limit=3', 'runs')).toEqual({ids: ['c', 'b', 'a'], next: null})
})

test('a run that goes on shows what it has said so far', async () => {
  const {source, reached} = scripted(['so far', 'never'], {stallAt: 1})
  const {url} = await agentAt(source)
  const {id} = await json(post(`${url}/runs`, {input: 'hi'}))
  await reached
  const run = await json(fetch(`${url}/runs/${id}?include=transcript`))
  expect(run).toMatchObject({status: 'running', output: 'so far', transcript: {status: 'running', last_seq: 3}})
  expect(run).not.toHaveProperty('ended_at')
})

test('a state patch that does not fit changes nothing of the rest', async () => {
  const {url} = await agentAt(
    scripted([{type: 'state', snapshot: {n: 1}}, {type: 'state', patch: [{op: 'remove', path: '/gone/for/ever'}]}, 'a'])
      .source
  )
  const runId = await asked(url, 'one')
  expect((await json(fetch(`${url}/runs/${runId}`))).output).toEqual({n: 1})
  expect(said((await json(fetch(`${url}/threads/t`))).messages)).toHaveLength(2)
})

test('schemas say what the agent takes and gives', async () => {
  // spec: HTTP-17
  const bare = await agentAt(scripted(['a']).source)
  expect(await json(fetch(`${bare.url}/schemas`))).toEqual({
    name: 'agent',
    input: {},
    output: {},
    config: {},
    accepts: [],
    max_body_bytes: 1024 * 1024
  })
  const {url} = await agentAt(scripted(['a']).source, {
    name: 'painter',
    description: 'It paints.',
    schemas: {input: {type: 'string'}},
    accepts: ['image/*'],
    maxBodyBytes: 5000
  })
  expect(await json(fetch(`${url}/schemas`))).toEqual({
    name: 'painter',
    description: 'It paints.',
    input: {type: 'string'},
    output: {},
    config: {},
    accepts: ['image/*'],
    max_body_bytes: 5000
  })
})

test('feedback is kept with its run, one of each key', async () => {
  // spec: HTTP-18
  const {url} = await agentAt(scripted(['a']).source)
  const run_id = await asked(url, 'one')
  const give = async (body: Json) => {
    const response = await post(`${url}/feedback`, {run_id, ...body})
    return [response.status, await json(response)]
  }
  const at = expect.any(Number)
  expect(await give({score: 0.5})).toEqual([200, {run_id, key: 'score', score: 0.5, at}])
  expect(await give({score: false, comment: 'é'.repeat(4000)})).toMatchObject([200, {key: 'score', score: false}])
  expect(await give({key: 'a-tag', value: {any: ['json']}, score: null})).toEqual([
    200,
    {run_id, key: 'a-tag', value: {any: ['json']}, at}
  ])
  expect((await json(fetch(`${url}/runs/${run_id}`))).feedback).toEqual([
    {key: 'a-tag', value: {any: ['json']}, at},
    {key: 'score', score: false, comment: 'é'.repeat(4000), at}
  ])
  for (const body of [{comment: 'é'.repeat(4001)}, {score: 'x'}, {key: ''}, {key: 5}, {scor: 1}]) {
    expect((await give(body))[0]).toBe(422)
  }
  expect((await post(`${url}/feedback`, {score: 1})).status).toBe(422)
  expect((await post(`${url}/feedback`, {run_id: 'none', score: 1})).status).toBe(404)
})

test('a run shows what it was started with', async () => {
  // spec: HTTP-19
  const {url} = await agentAt(scripted(['a']).source)
  const {id} = await json(post(`${url}/runs`, {input: 'x', config: {shout: true}}))
  expect(await json(fetch(`${url}/runs/${id}`))).toMatchObject({config: {shout: true}})
  const plain = await json(post(`${url}/runs`, {input: 'x'}))
  expect(await json(fetch(`${url}/runs/${plain.id}`))).not.toHaveProperty('config')
})

test('a run takes feedback under a hundred keys', async () => {
  // spec: HTTP-18
  const {url} = await agentAt(scripted(['a']).source)
  const run_id = await asked(url, 'one')
  for (let key = 1; key <= 100; key += 1) {
    expect((await post(`${url}/feedback`, {run_id, key: `k${key}`, score: key})).status).toBe(200)
  }
  expect((await post(`${url}/feedback`, {run_id, key: 'one-more', score: 1})).status).toBe(422)
  expect((await post(`${url}/feedback`, {run_id, key: 'k1', score: 2})).status).toBe(200)
})
