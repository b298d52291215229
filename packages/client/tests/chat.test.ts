import {afterAll, afterEach, beforeAll, expect, test} from 'vitest'
import {type Chat, type ChatOptions, type ChatSnapshot, createChat} from '../src/chat.js'
import {type Client, connect, textOf} from '../src/index.js'
import {startServer, startWire, type TestServer} from './server.js'

let server: TestServer
let clients: Client[] = []
let chats: Chat[] = []

beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.stop())
afterEach(() => {
  for (const chat of chats) chat.close()
  for (const client of clients) client.close()
  clients = []
  chats = []
})

function agent(name: string, url = server.url): Client {
  const client = connect({url: `${url}/${name}`, backoff: {first: 10, cap: 50, attempts: 5}, flush: 'sync'})
  clients.push(client)
  return client
}

function chatWith(name: string, options: Partial<ChatOptions> = {}): Chat {
  const chat = createChat({client: agent(name), ...options})
  chats.push(chat)
  return chat
}

const said = ({messages}: ChatSnapshot) => messages.map(message => `${message.role}: ${textOf(message)}`)

function until(chat: Chat, holds: (snapshot: ChatSnapshot) => boolean): Promise<ChatSnapshot> {
  return new Promise(resolve => {
    const look = () => {
      const snapshot = chat.getSnapshot()
      if (!holds(snapshot)) return
      leave()
      resolve(snapshot)
    }
    const leave = chat.subscribe(look)
    look()
  })
}

const unique = () => `gate-${crypto.randomUUID()}`

test('what is sent is there at once, and the answer follows', async () => {
  const chat = chatWith('echo')
  const turn = chat.send('hi')
  expect(said(chat.getSnapshot())).toEqual(['user: hi'])
  expect(chat.getSnapshot().status).toBe('submitted')
  const asked = chat.getSnapshot().messages[0]
  expect(await turn).toMatchObject({status: 'completed'})
  expect(said(chat.getSnapshot())).toEqual(['user: hi', 'assistant: You said: hi'])
  expect(chat.getSnapshot().status).toBe('ready')
  expect(chat.getSnapshot().messages[0]?.id).toBe(asked?.id)
})

test('a thread is restored, with what still runs in it', async () => {
  const gate = unique()
  const first = chatWith('slow', {config: {gate}})
  await server.release(gate, 10)
  await first.send('one')
  void first.send('two')
  await until(first, ({status, turns}) => turns.length === 2 && status === 'streaming')
  first.close() // as a reload does: nothing is stopped

  const second = chatWith('slow', {threadId: first.getSnapshot().threadId})
  expect(second.getSnapshot().status).toBe('restoring')
  const restored = await until(second, ({status}) => status === 'streaming')
  expect(said(restored)[0]).toBe('user: one')
  expect(restored.turns.map(({run}) => run !== undefined)).toEqual([false, true])
  await server.release(gate, 'all')
  const done = await until(second, ({status}) => status === 'ready')
  expect(said(done)[3]).toBe('assistant: zero one two three four five six seven eight nine ten')
})

test('what is sent while the thread is loaded comes behind what was there', async () => {
  const first = chatWith('echo')
  await first.send('one')
  const second = chatWith('echo', {threadId: first.getSnapshot().threadId})
  const turn = second.send('two')
  expect(second.getSnapshot().status).toBe('restoring')
  expect(await turn).toMatchObject({status: 'completed'})
  await until(second, ({status}) => status === 'ready')
  expect(said(second.getSnapshot()).filter(line => line.startsWith('user'))).toEqual(['user: one', 'user: two'])
})

test('a thread that does not exist yet is empty', async () => {
  const chat = chatWith('echo', {threadId: crypto.randomUUID()})
  expect(await until(chat, ({status}) => status === 'ready')).toMatchObject({turns: [], messages: []})
})

test('regenerate and edit take the place of what was there', async () => {
  const chat = chatWith('echo')
  const first = await chat.send('one')
  await chat.send('two')
  const edited = await chat.edit(first.runId, 'three')
  expect(said(chat.getSnapshot())).toEqual(['user: three', 'assistant: You said: three'])
  await chat.regenerate()
  expect(said(chat.getSnapshot())).toEqual(['user: three', 'assistant: You said: three'])
  expect(chat.getSnapshot().turns[0]?.runId).not.toBe(edited.runId)
  const again = chatWith('echo', {threadId: chat.getSnapshot().threadId})
  const restored = await until(again, ({status}) => status === 'ready')
  expect(said(restored)).toEqual(['user: three', 'assistant: You said: three'])
})

test('editing while it is answered stops that first', async () => {
  const gate = unique()
  const chat = chatWith('slow', {config: {gate}})
  void chat.send('one')
  const {turns} = await until(chat, ({status}) => status === 'streaming')
  const runId = turns[0]?.runId as string
  const edited = chat.edit(runId, 'two')
  await until(chat, snapshot => said(snapshot)[0] === 'user: two')
  expect((await agent('slow').run(runId)).status).toBe('cancelled')
  await server.release(gate, 'all')
  expect(await edited).toMatchObject({status: 'completed'})
})

test('stop keeps what was said', async () => {
  const chat = chatWith('slow', {config: {gate: unique()}})
  const turn = chat.send('one')
  await until(chat, ({status}) => status === 'streaming')
  await chat.stop()
  expect(await turn).toMatchObject({status: 'cancelled'})
  expect(said(chat.getSnapshot())).toEqual(['user: one', 'assistant: zero'])
  expect(chat.getSnapshot().status).toBe('ready')
})

test('two runs go on side by side', async () => {
  const gate = unique()
  const chat = chatWith('slow', {config: {gate}})
  const turns = [chat.send('one'), chat.send('two')]
  await until(chat, ({messages}) => messages.filter(({role}) => role === 'assistant').length === 2)
  await server.release(gate, 'all')
  expect((await Promise.all(turns)).map(({status}) => status)).toEqual(['completed', 'completed'])
  expect(said(chat.getSnapshot()).filter(line => line.startsWith('user'))).toEqual(['user: one', 'user: two'])
})

test('an interrupt waits for its answer, and the turn goes on', async () => {
  const chat = chatWith('ask')
  await chat.send('go')
  expect(chat.getSnapshot().status).toBe('interrupted')
  expect(chat.getSnapshot().turns[0]?.interrupts).toHaveLength(1)
  const answered = await chat.answer({answer: 'yes'})
  expect(answered.status).toBe('completed')
  const {turns, status} = chat.getSnapshot()
  expect(turns[0]?.interrupts).toEqual([])
  expect(status).toBe('ready')
  const again = chatWith('ask', {threadId: chat.getSnapshot().threadId})
  expect((await until(again, snapshot => snapshot.status === 'ready')).turns[0]?.interrupts).toEqual([])
})

test('a failed turn says why, and can be asked again', async () => {
  const failures: string[] = []
  const chat = chatWith('fail', {onError: ({code}) => failures.push(code)})
  const turn = await chat.send('go')
  expect(turn).toMatchObject({status: 'failed', problem: {name: 'UnspoolError'}})
  expect(chat.getSnapshot()).toMatchObject({status: 'failed', problem: turn.problem})
  expect(failures).toEqual([turn.problem?.code])
  const again = chatWith('fail', {threadId: chat.getSnapshot().threadId})
  const restored = await until(again, ({status}) => status === 'failed')
  expect(restored.problem).toMatchObject({code: turn.problem?.code, message: turn.problem?.message})
  await chat.regenerate(turn.runId)
  expect(chat.getSnapshot().turns).toHaveLength(1)
})

test('a turn that never reached the server can be asked again', async () => {
  const wire = await startWire(server.url)
  wire.down = true
  const chat = createChat({client: agent('echo', wire.url)})
  chats.push(chat)
  expect(await chat.send('hi')).toMatchObject({problem: {code: 'network'}})
  wire.down = false
  expect(await chat.regenerate()).toMatchObject({status: 'completed'})
  expect(said(chat.getSnapshot())).toEqual(['user: hi', 'assistant: You said: hi'])
  await wire.close()
})

test('turns and messages that did not change stay the same objects', async () => {
  const gate = unique()
  const chat = chatWith('slow', {config: {gate}})
  await server.release(gate, 10)
  await chat.send('one')
  const {messages: before, turns: turnsBefore} = chat.getSnapshot()
  void chat.send('two')
  const {messages, turns} = await until(chat, ({status}) => status === 'streaming')
  expect(turns[0]).toBe(turnsBefore[0])
  expect(messages.slice(0, 2).every((message, index) => message === before[index])).toBe(true)
})

test('files go along as content blocks', async () => {
  const chat = chatWith('echo')
  await chat.send({text: 'look', files: [{media_type: 'image/png', data: 'AAAA', name: 'a.png'}]})
  const [asked, answer] = chat.getSnapshot().messages
  expect(asked?.parts).toEqual([
    {type: 'text', kind: 'text', text: 'look'},
    {type: 'file', media_type: 'image/png', data: 'AAAA', name: 'a.png'}
  ])
  expect(answer && textOf(answer)).toBe('You said: look (with 1 file)')
})

test('another thread can be opened', async () => {
  const chat = chatWith('echo')
  await chat.send('one')
  const {threadId} = chat.getSnapshot()
  chat.open()
  expect(chat.getSnapshot()).toMatchObject({turns: [], status: 'ready'})
  expect(chat.getSnapshot().threadId).not.toBe(threadId)
  chat.open(threadId)
  expect(said(await until(chat, ({status}) => status === 'ready'))).toEqual(['user: one', 'assistant: You said: one'])
})

test('there is no such turn', async () => {
  await expect(chatWith('echo').edit('nothing', 'x')).rejects.toMatchObject({code: 'not_found'})
})
