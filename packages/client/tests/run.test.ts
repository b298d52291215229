import {EventSource} from 'eventsource'
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest'
import WebSocket from 'ws'
import {
  type Client,
  type ConnectOptions,
  connect,
  type Run,
  type RunSnapshot,
  textOf,
  UnspoolError
} from '../src/index.js'
import {startServer, startWire, type TestServer, type Wire} from './server.js'

let server: TestServer
const clients: Client[] = []
const wires: Wire[] = []

beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.stop())
afterEach(async () => {
  for (const client of clients.splice(0)) client.close()
  for (const wire of wires.splice(0)) await wire.close()
})

const QUICK = {first: 10, cap: 50}

function agent(name: string, options: Partial<ConnectOptions> = {}): Client {
  const client = connect({
    url: `${server.url}/${name}`,
    backoff: QUICK,
    flush: 'sync',
    EventSource: EventSource as never,
    WebSocket: WebSocket as never,
    ...options
  })
  clients.push(client)
  return client
}

async function wireTo(name: string, options: Partial<ConnectOptions> = {}): Promise<{wire: Wire; client: Client}> {
  const wire = await startWire(server.url)
  wires.push(wire)
  return {wire, client: agent(name, {...options, url: `${wire.url}/${name}`})}
}

function answer(snapshot: RunSnapshot): string {
  return snapshot.messages
    .filter(({role}) => role === 'assistant')
    .map(textOf)
    .join('')
}

/** Waits until what the run shows is so. */
function until(run: Run, holds: (snapshot: RunSnapshot) => boolean): Promise<RunSnapshot> {
  return new Promise((resolve, reject) => {
    const look = () => {
      const snapshot = run.getSnapshot()
      if (holds(snapshot)) resolve(snapshot)
      else if (snapshot.connection.state === 'closed') reject(snapshot.problem ?? new Error('it ended'))
      else return
      leave()
    }
    const leave = run.subscribe(look)
    look()
  })
}

const unique = () => `gate-${crypto.randomUUID()}`
const COUNTED = 'zero one two three four five six seven eight nine ten'

function checkRecords(run: Run): void {
  expect(run.records.map(({seq}) => seq)).toEqual(run.records.map((_, index) => index + 1))
  expect(run.records.at(-1)?.event.type).toBe('end')
}

describe.each(['sse', 'ndjson', 'eventsource', 'websocket'] as const)('by %s', transport => {
  const withoutSocket = transport === 'websocket' && process.env.UNSPOOL_SERVER

  test.skipIf(withoutSocket)('a run is started and followed to its end', async () => {
    const run = agent('echo', {transport}).start('hello world', {threadId: crypto.randomUUID()})
    const snapshot = await run.finished
    expect(answer(snapshot)).toBe('You said: hello world')
    expect(snapshot).toMatchObject({status: 'completed', connection: {state: 'closed', transport}})
    checkRecords(run)
  })

  test.skipIf(withoutSocket)('the iterable gives each record once, and ends', async () => {
    const run = agent('echo', {transport}).start('a b c')
    const seqs: number[] = []
    for await (const {seq} of run) seqs.push(seq)
    expect(seqs).toEqual(run.records.map(({seq}) => seq))
    checkRecords(run)
  })

  test.skipIf(withoutSocket)('connections that are cut after some bytes lose and double nothing', async () => {
    const {wire, client} = await wireTo('long', {transport})
    let size = 900
    wire.cutAfter = () => {
      size += 701
      return size
    }
    const run = client.start('go')
    const snapshot = await run.finished
    expect(answer(snapshot).length).toBeGreaterThanOrEqual(20_000)
    expect(wire.connections).toBeGreaterThan(5)
    checkRecords(run)
    const whole = await agent('long').follow(run.id).finished
    expect(snapshot.messages).toEqual(whole.messages)
  })

  test.skipIf(withoutSocket)('stop cancels on the server, and keeps the partial answer', async () => {
    const gate = unique()
    const run = agent('slow', {transport}).start('count', {config: {gate}})
    await until(run, snapshot => answer(snapshot) === 'zero')
    await run.stop()
    const snapshot = await run.finished
    expect(snapshot.status).toBe('cancelled')
    expect(answer(snapshot)).toBe('zero')
    expect((await agent('slow').run(run.id)).status).toBe('cancelled')
  })

  test.skipIf(withoutSocket)('detaching leaves the run alone, and it is found again', async () => {
    const gate = unique()
    const client = agent('slow', {transport})
    const run = client.start('count', {config: {gate}})
    await until(run, snapshot => answer(snapshot) === 'zero')
    run.detach()
    await expect(run.finished).rejects.toMatchObject({code: 'cancelled'})
    await server.release(gate, 'all')
    const again = await client.follow(run.id).finished
    expect(again.status).toBe('completed')
    expect(answer(again)).toBe(COUNTED)
  })

  test.skipIf(withoutSocket)('an interrupt is answered by a new run', async () => {
    const client = agent('ask', {transport})
    const asked = await client.start('hi', {threadId: crypto.randomUUID()}).finished
    expect(asked).toMatchObject({status: 'interrupted', interrupts: [{type: 'interrupt'}]})
    const answered = client.resume(asked.run_id as string, {answer: 'yes'})
    expect(await answered.finished).toMatchObject({status: 'completed', resumes: asked.run_id})
    checkRecords(answered)
  })
})

describe('tickets', () => {
  test.each(['eventsource', 'websocket'] as const)('%s sends one where there are headers', async transport => {
    const guarded = await startServer({token: 'secret'})
    try {
      const client = agent('echo', {
        url: `${guarded.url}/echo`,
        transport,
        headers: async () => ({Authorization: 'Bearer secret'})
      })
      expect(answer(await client.start('hi').finished)).toBe('You said: hi')
      const stranger = agent('echo', {url: `${guarded.url}/echo`, transport, headers: {Authorization: 'Bearer no'}})
      await expect(stranger.start('hi').finished).rejects.toMatchObject({code: 'auth', recoverable: false})
    } finally {
      await guarded.stop()
    }
  })
})

describe('a connection that breaks', () => {
  test('the network goes and comes back in mid-answer', async () => {
    const gate = unique()
    const {wire, client} = await wireTo('slow')
    const run = client.start('count', {config: {gate}})
    await until(run, snapshot => answer(snapshot) === 'zero')
    wire.down = true
    await until(run, ({connection}) => connection.state === 'waiting')
    await server.release(gate, 'all')
    wire.down = false
    const snapshot = await run.finished
    expect(answer(snapshot)).toBe(COUNTED)
    expect(snapshot.timing.reconnects).toBeGreaterThan(0)
    checkRecords(run)
  })

  test('a start whose reply is lost starts once', async () => {
    const {wire, client} = await wireTo('echo')
    wire.cutAfter = connection => (connection === 1 ? 1 : Number.POSITIVE_INFINITY)
    const threadId = crypto.randomUUID()
    const run = client.start('once', {threadId})
    expect(answer(await run.finished)).toBe('You said: once')
    expect((await client.runs({threadId})).runs.map(({id}) => id)).toEqual([run.id])
  })

  test.skipIf(process.env.UNSPOOL_SERVER)(
    'the server is killed and started again in mid-answer',
    {timeout: 90_000},
    async () => {
      const gate = unique()
      const run = agent('slow').start('count', {config: {gate}})
      await until(run, snapshot => answer(snapshot) === 'zero')
      await server.restart()
      await server.release(gate, 'all')
      const snapshot = await run.finished
      expect(snapshot.status).toBe('completed')
      expect(answer(snapshot)).toBe(COUNTED)
    }
  )

  test('an answer that was given before is followed in the run that carries it', async () => {
    const client = agent('ask')
    const asking = client.start('go')
    await asking.finished
    const first = client.resume(asking.id, {answer: 'yes'})
    await first.finished
    const again = client.resume(asking.id, {answer: 'yes'})
    expect(again.id).not.toBe(first.id)
    expect((await again.finished).status).toBe('completed')
    expect(again.id).toBe(first.id)
    expect((await client.run(again.id)).status).toBe('completed')
  })

  test('after so many failures in a row it gives up, and says so', async () => {
    const {wire, client} = await wireTo('echo', {backoff: {...QUICK, attempts: 3}})
    wire.down = true
    const run = client.start('hi')
    await expect(run.finished).rejects.toMatchObject({code: 'network', recoverable: true})
    expect(wire.connections).toBe(3)
    expect(run.getSnapshot()).toMatchObject({connection: {state: 'closed'}, problem: {code: 'network'}})
  })
})

describe('what cannot succeed is given up at once', () => {
  test.each(['sse', 'eventsource'] as const)('no such run, by %s', async transport => {
    const run = agent('echo', {transport}).follow('nowhere')
    await expect(run.finished).rejects.toMatchObject({code: 'not_found', status: 404})
  })

  test('a run id that another request has', async () => {
    const client = agent('echo')
    const first = client.start('one')
    await first.finished
    await expect(client.start('two', {runId: first.id}).finished).rejects.toMatchObject({code: 'conflict'})
  })

  test('a body that the server refuses', async () => {
    const run = agent('echo').start('x'.repeat(1_100_000))
    await expect(run.finished).rejects.toMatchObject({code: 'validation', status: 413})
    await expect(
      (async () => {
        for await (const _ of run);
      })()
    ).rejects.toBeInstanceOf(UnspoolError)
  })

  test('an address where no agent is', async () => {
    await expect(agent('nobody').start('hi').finished).rejects.toMatchObject({code: 'not_found'})
  })

  test('a run that fails has ended: it resolves, and says why', async () => {
    const snapshot = await agent('fail').start('now').finished
    expect(snapshot).toMatchObject({status: 'failed', problem: {name: 'UnspoolError'}})
  })
})

describe('time limits', () => {
  test.each([
    ['total', {total: 200}],
    ['idle', {idle: 200}]
  ])('%s: it gives up, and the run is cancelled', async (_, timeouts) => {
    const gate = unique()
    const run = agent('slow', {timeouts}).start('count', {config: {gate}})
    await expect(run.finished).rejects.toMatchObject({code: 'timeout'})
    await expect.poll(async () => (await agent('slow').run(run.id)).status, {timeout: 10_000}).toBe('cancelled')
  })

  test('the first token: none came', async () => {
    const {wire, client} = await wireTo('slow', {timeouts: {firstToken: 100}})
    wire.down = true
    await expect(client.start('count').finished).rejects.toMatchObject({
      code: 'timeout',
      message: 'The first token took too long.'
    })
  })

  test('a connection without a byte for too long is made anew', async () => {
    const gate = unique()
    const {wire, client} = await wireTo('slow', {timeouts: {silence: 150}})
    const run = client.start('count', {config: {gate}})
    await until(run, ({timing}) => timing.reconnects >= 2)
    await server.release(gate, 'all')
    expect(answer(await run.finished)).toBe(COUNTED)
    expect(wire.connections).toBeGreaterThanOrEqual(3)
  })
})

describe('asking', () => {
  test('threads, their runs and transcripts', async () => {
    const client = agent('echo')
    const threadId = crypto.randomUUID()
    await client.start('first question\nmore', {threadId}).finished
    await client.start('second', {threadId}).finished
    const {threads} = await client.threads({limit: 5})
    expect(threads.find(({id}) => id === threadId)).toMatchObject({title: 'first question', runs: 2})
    const {runs, title} = await client.thread(threadId)
    expect(title).toBe('first question')
    expect(runs.map(({transcript}) => transcript?.messages.map(textOf))).toEqual([
      ['first question\nmore', 'You said: first question\nmore'],
      ['second', 'You said: second']
    ])
  })

  test('a run takes the place of another', async () => {
    const client = agent('echo')
    const threadId = crypto.randomUUID()
    const first = client.start('one', {threadId})
    await first.finished
    const second = client.start('two', {threadId, replaces: first.id})
    expect(await second.finished).toMatchObject({replaces: first.id})
    const {runs} = await client.thread(threadId)
    expect(runs.map(({id, replaced}) => [id, replaced ?? false])).toEqual([
      [first.id, true],
      [second.id, false]
    ])
  })

  test('feedback is kept with the run', async () => {
    const client = agent('echo')
    const run = client.start('hi')
    await run.finished
    await client.feedback({runId: run.id, key: 'thumbs', score: 1, comment: 'good'})
    expect((await client.run(run.id)).feedback).toMatchObject([{key: 'thumbs', score: 1, comment: 'good'}])
  })

  test('schemas', async () => {
    expect(await agent('form').schemas()).toMatchObject({input: {type: 'object'}})
  })
})
