/** `examples/express_agent`, asked over HTTP. */

import type {Express} from 'express'
import {expect, test} from 'vitest'
import {framesIn, json, post, served, streamed, textOf} from './support.js'

const APP = '../../../examples/express_agent/app.js'

test('the example answers, remembers, and asks before it deletes', async () => {
  const {app}: {app: Express} = await import(APP)
  const {url} = await served(app)
  const agent = `${url}/agent`
  await streamed(agent, {input: 'one', thread_id: 't'})
  const second = await streamed(agent, {input: 'two', thread_id: 't'})
  expect(textOf(second.events)).toBe('You have asked 2 times. This time: two')

  const asking = await streamed(agent, {input: 'delete'})
  expect(asking.events.at(-1).status).toBe('interrupted')
  const answered = await post(`${agent}/runs/${asking.runId}/resume`, {answer: 'yes'})
  expect(textOf(framesIn(await answered.text()).map(({event}) => event))).toBe('It is deleted.')
  expect((await json(fetch(`${agent}/schemas`))).name).toBe('assistant')
})
