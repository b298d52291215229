/** Our own client against this server. `scripts/test_against_express.mjs` runs the client's own tests against it, too. */

import {type Client, connect, type RunSnapshot, textOf} from '@unspool/client'
import {afterAll, afterEach, beforeAll, expect, test} from 'vitest'
import {type Serving, serve, testApp} from './app.js'

let server: Serving
const clients: Client[] = []

beforeAll(async () => {
  server = await serve(testApp().app)
})
afterAll(() => server.close())
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
})

function client(agent: string, url = server.url): Client {
  const made = connect({url: `${url}/${agent}`, flush: 'sync', backoff: {first: 5, cap: 20}})
  clients.push(made)
  return made
}

function answerIn({messages}: RunSnapshot): string {
  return messages
    .filter(({role}) => role === 'assistant')
    .map(textOf)
    .join('')
}

test('a transcript of the server is the one that the client folds', async () => {
  // spec: TRN-1
  for (const name of ['tools', 'ask', 'echo', 'form']) {
    const run = client(name).start(name === 'form' ? {city: 'Utrecht', nights: 2} : 'it')
    const {connection, timing, problem, ...live} = await run.finished
    const {transcript} = await client(name).run(run.id, {transcript: true})
    expect(transcript).toMatchObject(JSON.parse(JSON.stringify(live)))
  }
})

test('an interrupt is answered, and a thread is restored, through the client', async () => {
  // spec: HTTP-10, HTTP-16
  const asking = client('ask')
  const first = asking.start('sing', {threadId: 'song'})
  expect((await first.finished).interrupts.map(({interrupt_id}) => interrupt_id)).toEqual(['approve'])
  const second = asking.resume(first.id, {answer: 'yes'})
  expect(answerIn(await second.finished)).toBe('Answered: approve=yes')
  const {runs} = await asking.thread('song')
  expect(runs.map(({id, status}) => [id, status])).toEqual([
    [first.id, 'interrupted'],
    [second.id, 'completed']
  ])
})
