/** Interrupts that are answered twice, in another way, or again after an answer that came to nothing. */

import {type Source, SourceError} from '@unspool/express'
import {expect, test} from 'vitest'
import {aborted, agentAt, framesIn, type Json, json, post, promised, streamed, textOf} from './support.js'

/** Asks, and says what it was answered; to `break` it fails once, and at `stay` it stays. */
function asking() {
  const answers: unknown[] = []
  const staying = promised()
  let broken = false
  const source: Source = async function* ({answer, signal}) {
    if (!answer) {
      yield {type: 'interrupt', interrupt_id: 'i'}
      return
    }
    answers.push(answer.i)
    yield `got ${answer.i}`
    if (answer.i === 'break' && !broken) {
      broken = true
      throw new SourceError('A tool broke.')
    }
    if (answer.i === 'stay') {
      staying.resolve()
      await aborted(signal)
    }
  }
  return {source, answers, staying: staying.promise}
}

async function asked(source: Source) {
  const {url} = await agentAt(source, {authenticate: req => req.get('X-User') ?? 'ann'})
  const {runId} = await streamed(url, {input: 'hi', thread_id: 't'})
  const answer = async (body: Json, headers: Record<string, string> = {}) => {
    const response = await post(`${url}/runs/${runId}/resume`, body, headers)
    const text = await response.text()
    const {code, detail} = response.ok ? ({} as Json) : JSON.parse(text)
    const said = textOf(framesIn(text).map(({event}) => event))
    return {status: response.status, run: response.headers.get('Unspool-Run-Id'), said, code, detail}
  }
  const runs = async (): Promise<Json[]> => (await json(fetch(`${url}/runs`))).runs.reverse()
  return {url, runId, answer, runs}
}

test('an interrupt that is answered twice is acted upon once', async () => {
  // spec: HTTP-23
  const {source, answers} = asking()
  const {answer, runs} = await asked(source)
  const twice = await Promise.all([answer({answer: 7, run_id: 'one'}), answer({answers: {i: 7}, run_id: 'two'})])
  const later = await answer({answer: 7})
  const [first] = twice
  expect(first).toMatchObject({status: 200, said: 'got 7'})
  expect([...twice, later].map(({run, said}) => [run, said])).toEqual(Array(3).fill([first.run, 'got 7']))
  const other = await answer({answer: 8})
  const otherConfig = await answer({answer: 7, config: {c: 1}})
  for (const refused of [other, otherConfig]) {
    expect(refused).toMatchObject({
      status: 409,
      code: 'conflict',
      detail: 'the run was answered already, in another way'
    })
  }
  expect(await runs()).toHaveLength(2)
  expect(answers).toEqual([7])
})

test('an interrupt that is answered while its answer is acted upon is not answered again', async () => {
  // spec: HTTP-23
  const {source, answers, staying} = asking()
  const {url, answer, runs} = await asked(source)
  const going = answer({answer: 'stay'})
  await staying
  expect((await answer({answer: 'other'})).status).toBe(409)
  const again = answer({answer: 'stay'})
  await post(`${url}/runs/${(await runs())[1].id}/cancel`, '')
  expect((await again).run).toBe((await going).run)
  expect(answers).toEqual(['stay'])
})

test('an answer that failed, was cancelled or replaced can be given again', async () => {
  // spec: HTTP-23
  const {source, answers, staying} = asking()
  const {url, answer, runs} = await asked(source)
  const failed = await answer({answer: 'break', run_id: 'failed'})
  expect((await answer({answer: 'break', run_id: 'failed'})).run).toBe('failed')
  const going = answer({answer: 'stay'})
  await staying
  await post(`${url}/runs/${(await runs())[2].id}/cancel`, '')
  const cancelled = await going
  const repeated = await answer({answer: 'break'})
  await streamed(url, {input: 'instead', thread_id: 't', replaces: repeated.run})
  const last = await answer({answer: 9})
  expect((await answer({answer: 9})).run).toBe(last.run)
  expect((await answer({answer: 'break'})).status).toBe(409)
  const ids = [failed, cancelled, repeated, last].map(({run}) => run)
  const shown = (await runs()).filter(({id}) => ids.includes(id))
  expect(shown.map(({id, status, replaced}) => [id, status, replaced])).toEqual([
    ['failed', 'failed', undefined],
    [cancelled.run, 'cancelled', undefined],
    [repeated.run, 'completed', true],
    [last.run, 'completed', undefined]
  ])
  expect(answers).toEqual(['break', 'stay', 'break', 9])
})

test('other runs of the thread, and answers to them, are no answer', async () => {
  // spec: HTTP-23
  const {source, answers} = asking()
  const {url, answer} = await asked(source)
  const other = await streamed(url, {input: 'hi', thread_id: 't'})
  await (await post(`${url}/runs/${other.runId}/resume`, {answer: 1})).text()
  expect(await answer({answer: 2})).toMatchObject({status: 200, said: 'got 2'})
  await streamed(url, {input: 'hi', thread_id: 't'})
  expect((await answer({answer: 3})).status).toBe(409)
  expect(answers).toEqual([1, 2])
})

test('an answer with a key of its own is found by that key, and without it, too', async () => {
  // spec: HTTP-5, HTTP-23
  const {source, answers} = asking()
  const {answer} = await asked(source)
  const key = {'Idempotency-Key': 'k'}
  const first = await answer({answer: 1}, key)
  expect((await answer({answer: 1}, key)).run).toBe(first.run)
  expect(await answer({answer: 2}, key)).toMatchObject({status: 422, code: 'validation'})
  expect((await answer({answer: 1})).run).toBe(first.run)
  expect((await answer({answer: 2})).status).toBe(409)
  const second = await answer({answer: 3}, {'Idempotency-Key': 'other'})
  expect((await answer({answer: 3})).run).toBe(second.run)
  expect(answers).toEqual([1, 3])
})

test('a run that was replaced does not wait for an answer any more', async () => {
  // spec: THR-3
  const {source, answers} = asking()
  const {url, runId, answer, runs} = await asked(source)
  const {runId: second} = await streamed(url, {input: 'hi', thread_id: 't', replaces: runId})
  expect(await answer({answer: 1})).toMatchObject({status: 409, code: 'conflict'})
  expect((await post(`${url}/runs/${second}/resume`, {answer: 2})).status).toBe(200)
  expect(await runs()).toHaveLength(3)
  expect(answers).toEqual([2])
})
