// @vitest-environment jsdom
import {Chat, useChat, useCompletion, experimental_useObject as useObject} from '@ai-sdk/react'
import {act, cleanup, renderHook, waitFor} from '@testing-library/react'
import {loadMessages, unspoolTransport} from '@unspool/client/ai-sdk'
import {DefaultChatTransport, lastAssistantMessageIsCompleteWithApprovalResponses, type UIMessage} from 'ai'
import {StrictMode} from 'react'
import {afterEach, expect, test} from 'vitest'
import {z} from 'zod'
import {startWire} from '../../client/tests/server.js'
import {testServer} from './server.js'

const server = testServer()
afterEach(cleanup)

/** Of the AI SDK. `vitest.ai-sdk-7.config.ts` runs the same tests with its version 7. */
const VERSION = process.env.AI_SDK ?? '6'
const ALL_WORDS = 'zero one two three four five six seven eight nine ten'

/** `useChat` with the SDK's own transport, unless another is given. */
function renderChat(agent: string, options: NonNullable<Parameters<typeof useChat>[0]> = {}, strict = false) {
  const transport = new DefaultChatTransport({api: `${server.url(agent)}/ai-sdk?v=${VERSION}`})
  return renderHook(() => useChat({transport, ...options}), {...(strict && {wrapper: StrictMode})})
}

type Rendered = ReturnType<typeof renderChat>['result']

function said(messages: readonly UIMessage[]): string[] {
  return messages.map(({role, parts}) => `${role}: ${parts.map(p => (p.type === 'text' ? p.text : '')).join('')}`)
}

function last(chat: Rendered): UIMessage {
  const message = chat.current.messages.at(-1)
  if (!message) throw new Error('no message')
  return message
}

function parts(message: UIMessage, type: string): unknown[] {
  return message.parts.filter(part => part.type === type)
}

async function runsOf(agent: string, thread: string): Promise<{id: string; status: string; replaced?: boolean}[]> {
  const response = await fetch(`${server.url(agent)}/runs?thread_id=${thread}`)
  return (await response.json()).runs
}

test('a chat goes back and forth, and the server keeps it', async () => {
  const {result} = renderChat('echo', {id: 'both-ways'})
  await act(() => result.current.sendMessage({text: 'one'}))
  await act(() => result.current.sendMessage({text: 'two'}))
  expect(result.current).toMatchObject({status: 'ready', error: undefined})
  expect(said(result.current.messages)).toEqual([
    'user: one',
    'assistant: You said: one',
    'user: two',
    'assistant: You said: two'
  ])
  const runs = await runsOf('echo', 'both-ways')
  expect(runs.map(({id}) => id).reverse()).toEqual([result.current.messages[1]?.id, result.current.messages[3]?.id])
  const thread = await (await fetch(`${server.url('echo')}/threads/both-ways`)).json()
  expect(thread.messages).toHaveLength(4)
})

test('what is regenerated or edited takes the place of what was there', async () => {
  const {result} = renderChat('echo', {id: 'edits'})
  for (const text of ['one', 'two', 'three']) await act(() => result.current.sendMessage({text}))
  await act(() => result.current.regenerate())
  expect(said(result.current.messages).slice(-2)).toEqual(['user: three', 'assistant: You said: three'])
  let runs = await runsOf('echo', 'edits')
  expect(runs.map(({replaced}) => replaced ?? false)).toEqual([false, true, false, false])
  const messageId = result.current.messages[2]?.id as string
  await act(() => result.current.sendMessage({text: 'zwei', messageId}))
  expect(said(result.current.messages).slice(2)).toEqual(['user: zwei', 'assistant: You said: zwei'])
  runs = await runsOf('echo', 'edits')
  expect(runs.map(({replaced}) => replaced ?? false)).toEqual([false, true, true, true, false])
})

test('steps, reasoning, tools, sources, files, data and usage are parts of the message', async () => {
  const {result} = renderChat('tools', {id: 'everything'})
  await act(() => result.current.sendMessage({text: 'weather'}))
  const message = last(result)
  expect(parts(message, 'reasoning')).toMatchObject([
    {type: 'reasoning', text: 'They ask about the weather. I will look it up.', state: 'done'}
  ])
  expect(parts(message, 'dynamic-tool')).toMatchObject([
    {toolName: 'weather', state: 'output-available', input: {city: 'Utrecht'}, output: {celsius: 18, sky: 'clear'}},
    {toolName: 'forecast', state: 'output-error', input: {days: 400}, errorText: 'A forecast has at most 14 days.'}
  ])
  expect(parts(message, 'text')).toMatchObject([
    {type: 'text', text: 'It is 18 °C in Utrecht, and the sky is clear.', state: 'done'}
  ])
  expect(parts(message, 'source-url')).toMatchObject([{url: 'https://example.org/weather', title: 'Weather service'}])
  expect(parts(message, 'file')).toMatchObject([
    {mediaType: 'image/png', url: expect.stringMatching(/^data:image\/png;base64,iVBOR/)}
  ])
  expect(parts(message, 'data-progress')).toMatchObject([{id: 'p', data: {done: 2, of: 2}}])
  expect(parts(message, 'data-step').map(part => (part as {data: unknown}).data)).toMatchObject([
    {name: 'plan', done: true},
    {name: 'act', done: true}
  ])
  expect(message.metadata).toMatchObject({
    runId: message.id,
    status: 'completed',
    usage: {inputTokens: 120, outputTokens: 40, totalTokens: 160, reasoningTokens: 12}
  })
})

test('what the agent takes back is gone in version 7, and stays in version 6, which cannot drop it', async () => {
  const {result} = renderChat('correct', {id: 'corrections'})
  await act(() => result.current.sendMessage({text: 'How many?'}))
  const before = VERSION === '7' ? 'Well. ' : 'Well. It is 4.'
  expect(said(result.current.messages)).toEqual(['user: How many?', `assistant: ${before}It is 5.`])
  expect(result.current).toMatchObject({status: 'ready', error: undefined})
})

test('an error shows its safe message, before the first byte and after', async () => {
  const {result} = renderChat('fail')
  await act(() => result.current.sendMessage({text: 'late'}))
  expect(result.current).toMatchObject({status: 'error', error: {message: 'The model is resting.'}})
  expect(parts(last(result), 'text')).toMatchObject([{type: 'text', text: 'Half an answer', state: 'done'}])
  await act(() => result.current.sendMessage({text: 'internal'}))
  expect(result.current.error?.message).not.toContain('swordfish')
  const refused = renderChat('echo', {id: 'not an id'}).result
  await act(() => refused.current.sendMessage({text: 'one'}))
  expect(refused.current.error?.message).toBe("the chat's id must be 1 to 128 characters out of A-Z a-z 0-9 . _ ~ -")
})

test('a new mount in mid-answer goes on with the same message', async () => {
  const first = renderChat('slow', {id: 'remount'}).result
  act(() => void first.current.sendMessage({text: 'go remount'}))
  await server.release('remount', 2)
  await waitFor(() => expect(said(first.current.messages)[1]).toBe('assistant: zero one two'))
  const messages = structuredClone(first.current.messages)
  cleanup()
  const second = renderChat('slow', {id: 'remount', messages, resume: true}, true).result
  await waitFor(() => expect(second.current.status).toBe('streaming'))
  await server.release('remount', 'all')
  await waitFor(() => expect(second.current.status).toBe('ready'))
  expect(said(second.current.messages)).toEqual(['user: go remount', `assistant: ${ALL_WORDS}`])
  const third = renderChat('slow', {id: 'remount', messages: second.current.messages, resume: true}).result
  await waitFor(() => expect(third.current.status).toBe('ready'))
  expect(said(third.current.messages)).toHaveLength(2)
})

test('tool calls wait for approval, and the same message goes on', async () => {
  const {result} = renderChat('delete', {
    id: 'approvals',
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses
  })
  await act(() => result.current.sendMessage({text: 'a b'}))
  const waiting = parts(last(result), 'dynamic-tool') as {state: string; approval: {id: string}}[]
  expect(waiting.map(({state}) => state)).toEqual(['approval-requested', 'approval-requested'])
  const [first, second] = waiting.map(({approval}) => approval.id)
  await act(async () => result.current.addToolApprovalResponse({id: first as string, approved: true}))
  await act(async () =>
    result.current.addToolApprovalResponse({id: second as string, approved: false, reason: 'Keep it.'})
  )
  await waitFor(() => expect(said(result.current.messages)[1]).toBe('assistant: I will delete them.Done.'))
  await waitFor(() => expect(result.current.status).toBe('ready'))
  expect(result.current.messages).toHaveLength(2)
  expect(parts(last(result), 'dynamic-tool')).toMatchObject([
    {toolCallId: 'delete-a', state: 'output-available', input: {path: 'a'}, output: 'deleted a'},
    {toolCallId: 'delete-b', state: 'output-denied', approval: {approved: false}}
  ])
  await act(() => result.current.sendMessage({text: 'c'}))
  expect((await runsOf('delete', 'approvals')).map(({replaced}) => replaced ?? false)).toEqual([false, false, false])
})

test('another question is a data part, answered in the body of the next request', async () => {
  const {result} = renderChat('ask', {id: 'questions'})
  await act(() => result.current.sendMessage({text: 'go'}))
  const question = {interruptId: 'approve', value: {question: 'May I go?', options: ['yes', 'no']}}
  expect(parts(last(result), 'data-interrupt')).toMatchObject([{data: {...question, answered: false}}])
  await act(() => result.current.sendMessage(undefined, {body: {answer: 'yes'}}))
  expect(said(result.current.messages)).toEqual(['user: go', 'assistant: May I go?Answered: approve=yes'])
  expect(parts(last(result), 'data-interrupt')).toMatchObject([{data: {...question, answered: true}}])
})

test('stop stops the run, an unmount does not, and the chat can still be resumed', async () => {
  const transport = unspoolTransport({api: `${server.url('slow')}/ai-sdk?v=${VERSION}`})
  // Version 7 stops a chat that the hook made when the hook is gone, so this one is made outside of it.
  const {result} = renderChat('slow', {chat: new Chat({id: 'stopping', transport})})
  act(() => void result.current.sendMessage({text: 'go stopping'}))
  await waitFor(() => expect(said(result.current.messages)[1]).toBe('assistant: zero'))
  await act(() => result.current.stop())
  await waitFor(async () => expect((await runsOf('slow', 'stopping'))[0]?.status).toBe('cancelled'))
  expect(result.current).toMatchObject({status: 'ready', error: undefined})

  act(() => void result.current.sendMessage({text: 'go resuming'}))
  await waitFor(() => expect(said(result.current.messages)[3]).toBe('assistant: zero'))
  const messages = structuredClone(result.current.messages)
  cleanup()
  const chat = new Chat({id: 'stopping', transport, messages})
  const again = renderChat('slow', {chat, resume: true}, true).result
  await waitFor(() => expect(again.current).toMatchObject({status: 'streaming', error: undefined}))
  await server.release('resuming', 'all')
  await waitFor(() => expect(again.current.status).toBe('ready'))
  expect(said(again.current.messages)[3]).toBe(`assistant: ${ALL_WORDS}`)
})

test('a connection that is lost in mid-answer comes back, and nothing is told twice', async () => {
  const wire = await startWire(server.url('slow'))
  try {
    const transport = unspoolTransport({api: `${wire.url}/slow/ai-sdk?v=${VERSION}`})
    const {result} = renderChat('slow', {id: 'losing', transport})
    act(() => void result.current.sendMessage({text: 'go losing'}))
    await waitFor(() => expect(said(result.current.messages)[1]).toBe('assistant: zero'))
    wire.down = true
    await server.release('losing', 'all')
    wire.down = false
    await waitFor(() => expect(result.current.status).toBe('ready'))
    expect(said(result.current.messages)).toEqual(['user: go losing', `assistant: ${ALL_WORDS}`])
    expect(wire.connections).toBeGreaterThan(1)
    expect((await runsOf('slow', 'losing')).map(({status}) => status)).toEqual(['completed'])
  } finally {
    await wire.close()
  }
})

/** Without the ids of the user's messages, which the server does not keep. */
function kept(messages: readonly UIMessage[]): unknown[] {
  return messages.map(({id, ...message}) => (message.role === 'user' ? message : {id, ...message}))
}

test('a chat that is opened again has the messages that the page had, and goes on from there', async () => {
  const api = `${server.url('agent')}/ai-sdk?v=${VERSION}`
  const transport = unspoolTransport({api})
  expect(await transport.loadMessages('opened')).toEqual([])
  const {result} = renderChat('agent', {id: 'opened', transport})
  for (const text of ['echo one', 'tools', 'echo two']) await act(() => result.current.sendMessage({text}))
  await act(() => result.current.regenerate())
  await act(() => result.current.sendMessage({text: 'ask go'}))
  await act(() => result.current.sendMessage(undefined, {body: {answer: 'yes'}}))
  await act(() => result.current.sendMessage({text: 'fail late'}))
  expect(result.current).toMatchObject({status: 'error', error: {message: 'The model is resting.'}})
  expect(result.current.messages).toHaveLength(10)

  const messages = await transport.loadMessages('opened')
  expect(kept(messages)).toEqual(kept(result.current.messages))
  expect(messages.at(-1)?.metadata).toMatchObject({status: 'failed'})
  expect(await loadMessages({api, id: 'opened'})).toEqual(messages)
  cleanup()
  const again = renderChat('agent', {id: 'opened', transport, messages, resume: true}, true).result
  await act(() => again.current.sendMessage({text: 'echo three'}))
  expect(said(again.current.messages).slice(-2)).toEqual(['user: echo three', 'assistant: You said: echo three'])
  const runs = await runsOf('agent', 'opened')
  expect(runs.map(({replaced}) => replaced ?? false)).toEqual([false, false, false, false, false, true, false, false])
})

test('what was taken back is gone from a chat that is opened again where it was gone from the page', async () => {
  const transport = unspoolTransport({api: `${server.url('correct')}/ai-sdk?v=${VERSION}`})
  const {result} = renderChat('correct', {id: 'reopened', transport})
  await act(() => result.current.sendMessage({text: 'How many?'}))
  expect(said(await transport.loadMessages('reopened'))).toEqual(said(result.current.messages))
})

test('a chat that is opened again asks for the approval that it waits for, and knows what was decided', async () => {
  const transport = unspoolTransport({api: `${server.url('delete')}/ai-sdk?v=${VERSION}`})
  const first = renderChat('delete', {id: 'deciding', transport}).result
  await act(() => first.current.sendMessage({text: 'a b'}))
  const messages = await transport.loadMessages('deciding')
  expect(kept(messages)).toEqual(kept(first.current.messages))
  cleanup()
  const sendAutomaticallyWhen = lastAssistantMessageIsCompleteWithApprovalResponses
  const {result} = renderChat('delete', {id: 'deciding', transport, messages, resume: true, sendAutomaticallyWhen})
  const [one, two] = parts(last(result), 'dynamic-tool') as {approval: {id: string}}[]
  await act(async () => result.current.addToolApprovalResponse({id: one?.approval.id ?? '', approved: true}))
  await act(async () =>
    result.current.addToolApprovalResponse({id: two?.approval.id ?? '', approved: false, reason: 'No.'})
  )
  await waitFor(() => expect(said(result.current.messages)[1]).toBe('assistant: I will delete them.Done.'))
  await waitFor(() => expect(result.current.status).toBe('ready'))
  expect(kept(await transport.loadMessages('deciding'))).toEqual(kept(result.current.messages))
})

test.each(['in mid-answer', 'just before it ends'])('an answer is resumed in a chat that is opened %s', async when => {
  const id = when.replaceAll(' ', '-')
  const transport = unspoolTransport({api: `${server.url('slow')}/ai-sdk?v=${VERSION}`})
  await (await transport.sendMessages(question(id))).cancel()
  const messages = await transport.loadMessages(id)
  expect(said(messages)).toEqual([`user: go ${id}`])
  if (when !== 'in mid-answer') await ended(id)
  const {result} = renderChat('slow', {id, transport, messages, resume: true}, true)
  if (when === 'in mid-answer') {
    await waitFor(() => expect(said(result.current.messages)[1]).toBe('assistant: zero'))
    await ended(id)
  }
  await waitFor(() => expect(said(result.current.messages)).toEqual([`user: go ${id}`, `assistant: ${ALL_WORDS}`]))
  await waitFor(() => expect(result.current.status).toBe('ready'))
  expect(await transport.reconnectToStream({chatId: id})).toBeNull()
})

test('the transport of the SDK resumes in a chat that is opened again, too', async () => {
  const api = `${server.url('slow')}/ai-sdk?v=${VERSION}`
  await (await unspoolTransport({api}).sendMessages(question('theirs'))).cancel()
  const messages = await loadMessages({api, id: 'theirs'})
  const {result} = renderChat('slow', {id: 'theirs', messages, resume: true})
  await waitFor(() => expect(said(result.current.messages)[1]).toBe('assistant: zero'))
  await ended('theirs')
  await waitFor(() => expect(said(result.current.messages)).toEqual(['user: go theirs', `assistant: ${ALL_WORDS}`]))
})

/** Asks `slow` for words that wait at the gate `id`, in the chat of that name. */
function question(id: string): Parameters<ReturnType<typeof unspoolTransport>['sendMessages']>[0] {
  const messages: UIMessage[] = [{id: 'q', role: 'user', parts: [{type: 'text', text: `go ${id}`}]}]
  return {trigger: 'submit-message', chatId: id, messageId: undefined, messages, abortSignal: undefined}
}

async function ended(gate: string): Promise<void> {
  await server.release(gate, 'all')
  await waitFor(async () => expect((await runsOf('slow', gate))[0]?.status).toBe('completed'))
}

test.each(['data', 'text'] as const)('a completion comes as %s', async streamProtocol => {
  const api = `${server.url('echo')}/ai-sdk/completion?v=${VERSION}&protocol=${streamProtocol}`
  const {result} = renderHook(() => useCompletion({api, streamProtocol}))
  await act(() => result.current.complete('hi'))
  expect(result.current).toMatchObject({completion: 'You said: hi', error: undefined})
})

test('an object grows', async () => {
  const schema = z.object({name: z.string(), minutes: z.number()})
  const {result} = renderHook(() => useObject({api: `${server.url('recipe')}/ai-sdk/object`, schema}))
  act(() => void result.current.submit({of: 'soup'}))
  await server.release('recipe soup', 2)
  await waitFor(() => expect(result.current.object).toEqual({name: 'soup', minutes: 2}))
  await server.release('recipe soup', 'all')
  await waitFor(() => expect(result.current).toMatchObject({object: {name: 'soup', minutes: 20}, isLoading: false}))
})
