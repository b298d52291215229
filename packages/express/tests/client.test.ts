/** Our own client against this server, over a wire that fails. */

import {type AddressInfo, createServer, connect as dial, type Socket} from 'node:net'
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

/** A proxy that cuts each connection after so many bytes of the answer. */
async function cutting(cutAfter: (connection: number) => number) {
  const {port} = new URL(server.url)
  const open = new Set<Socket>()
  let connections = 0
  const proxy = createServer(near => {
    connections += 1
    let left = cutAfter(connections)
    const far = dial(Number(port), '127.0.0.1')
    for (const socket of [near, far]) {
      open.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        near.destroy()
        far.destroy()
      })
    }
    near.pipe(far)
    far.on('data', (chunk: Buffer) => {
      near.write(chunk.subarray(0, left))
      left -= chunk.length
      if (left <= 0) near.destroySoon()
    })
  })
  await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    connections: () => connections,
    close() {
      for (const socket of open) socket.destroy()
      proxy.close()
    }
  }
}

test('connections that are cut lose and double nothing', async () => {
  // spec: CUR-4, HTTP-3, HTTP-6
  const wire = await cutting(connection => 2000 + 701 * connection)
  const run = client('long', wire.url).start('go', {config: {characters: 4000}})
  const snapshot = await run.finished
  expect(snapshot.status).toBe('completed')
  expect(answerIn(snapshot)).toHaveLength(4000)
  expect(run.records.map(({seq}) => seq)).toEqual(run.records.map((_, index) => index + 1))
  expect(wire.connections()).toBeGreaterThan(5)
  wire.close()
})

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
