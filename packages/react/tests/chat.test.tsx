// @vitest-environment jsdom
import {act, cleanup, renderHook, waitFor} from '@testing-library/react'
import {connect, textOf} from '@unspool/client'
import type {ChatMessage, Turn} from '@unspool/client/chat'
import {StrictMode} from 'react'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {type StreamingChat, type StreamingChatOptions, useStreamingChat} from '../src/index.js'
import {testServer} from './server.js'

const server = testServer()
beforeEach(() => sessionStorage.clear())
afterEach(cleanup)

const ALL_WORDS = 'zero one two three four five six seven eight nine ten'

function renderChat(agent: string, options: StreamingChatOptions = {}, strict = false) {
  return renderHook((changed: StreamingChatOptions) => useStreamingChat({...server.agent(agent), ...changed}), {
    initialProps: options,
    ...(strict && {wrapper: StrictMode})
  })
}

function said(messages: readonly ChatMessage[]): string[] {
  return messages.map(message => `${message.role}: ${textOf(message)}`)
}

async function ready(result: {current: StreamingChat}): Promise<void> {
  await waitFor(() => expect(result.current.status).toBe('ready'))
}

test('shows both sides of each turn, in order', async () => {
  const {result} = renderChat('echo', {}, true)
  await ready(result)
  await act(() => result.current.send('one'))
  await act(() => result.current.send({text: 'two'}))
  expect(said(result.current.messages)).toEqual([
    'user: one',
    'assistant: You said: one',
    'user: two',
    'assistant: You said: two'
  ])
  expect(result.current).toMatchObject({status: 'ready', isStreaming: false, interrupts: []})
  expect(result.current.problem).toBeUndefined()
  expect(result.current.turns.map(({runId}) => runId)).toEqual([
    ...new Set(result.current.messages.map(({runId}) => runId))
  ])
})

test('the question is there at once, and the answer as it comes', async () => {
  const {result} = renderChat('slow')
  act(() => void result.current.send('go chat-1'))
  expect(result.current).toMatchObject({status: 'submitted', isStreaming: true})
  expect(said(result.current.messages)).toEqual(['user: go chat-1'])
  await waitFor(() => expect(result.current.status).toBe('streaming'))
  await server.release('chat-1', 1)
  await waitFor(() => expect(said(result.current.messages)[1]).toBe('assistant: zero one'))
  expect(result.current.connection).toMatchObject({state: 'open'})
  expect(result.current.messages[1]?.complete).toBe(false)
  await server.release('chat-1', 'all')
  await ready(result)
  expect(said(result.current.messages)[1]).toBe(`assistant: ${ALL_WORDS}`)
})

test('several turns run at once, each with its own answer', async () => {
  const {result} = renderChat('slow')
  act(() => {
    void result.current.send('go chat-2a')
    void result.current.send('go chat-2b')
  })
  await waitFor(() => expect(result.current.messages.filter(({role}) => role === 'assistant')).toHaveLength(2))
  await server.release('chat-2b', 'all')
  await waitFor(() => expect(result.current.turns[1]?.status).toBe('completed'))
  expect(result.current).toMatchObject({status: 'streaming'})
  expect(said(result.current.messages)).toEqual([
    'user: go chat-2a',
    'assistant: zero',
    'user: go chat-2b',
    `assistant: ${ALL_WORDS}`
  ])
  await server.release('chat-2a', 'all')
  await ready(result)
})

test('stop keeps what was said, and the chat goes on', async () => {
  const {result} = renderChat('slow')
  act(() => void result.current.send('go chat-3'))
  await waitFor(() => expect(result.current.status).toBe('streaming'))
  await act(() => result.current.stop())
  await waitFor(() => expect(result.current.turns[0]?.status).toBe('cancelled'))
  expect(result.current.isStreaming).toBe(false)
  expect(said(result.current.messages)[1]).toBe('assistant: zero')
  act(() => void result.current.send('go chat-3b'))
  await server.release('chat-3b', 'all')
  await waitFor(() => expect(said(result.current.messages)[3]).toBe(`assistant: ${ALL_WORDS}`))
})

test('regenerate takes the place of the answer', async () => {
  const {result} = renderChat('echo')
  await act(() => result.current.send('one'))
  const [before] = result.current.turns
  await act(() => result.current.regenerate())
  expect(said(result.current.messages)).toEqual(['user: one', 'assistant: You said: one'])
  expect(result.current.turns[0]?.runId).not.toBe(before?.runId)
  const thread = await connect({url: server.url('echo')}).thread(result.current.threadId)
  expect(thread.runs.map(({replaced = false}) => replaced)).toEqual([true, false])
})

test('edit asks something else in the place of a turn and of what followed it', async () => {
  const {result} = renderChat('echo')
  for (const text of ['one', 'two', 'three']) await act(() => result.current.send(text))
  const second = result.current.turns[1]?.runId ?? ''
  await act(() => result.current.edit(second, 'other'))
  expect(said(result.current.messages)).toEqual([
    'user: one',
    'assistant: You said: one',
    'user: other',
    'assistant: You said: other'
  ])
})

test('after an error, retry asks again', async () => {
  const errors: string[] = []
  const {result} = renderChat('fail', {onError: error => errors.push(error.code)})
  await act(() => result.current.send('once'))
  expect(result.current).toMatchObject({status: 'failed', problem: {code: 'provider', recoverable: true}})
  await act(() => result.current.retry())
  expect(result.current.status).toBe('ready')
  expect(result.current.problem).toBeUndefined()
  expect(said(result.current.messages)).toEqual(['user: once', 'assistant: This time it worked.'])
  expect(errors).toEqual(['provider'])
})

test('after a reload of the page, retry asks a failed question again', async () => {
  const first = renderChat('fail')
  await act(() => first.result.current.send('once'))
  first.unmount()
  const {result} = renderChat('fail')
  await waitFor(() => expect(result.current.turns).toHaveLength(1))
  await act(() => result.current.retry())
  expect(said(result.current.messages)).toEqual(['user: once', 'assistant: This time it worked.'])
})

test('a thread that cannot be loaded says so, and retry loads it', async () => {
  let broken = true
  const unsure: typeof fetch = async (input, init) => {
    if (broken) throw new TypeError('fetch failed')
    return fetch(input, init)
  }
  const first = renderChat('echo')
  await act(() => first.result.current.send('one'))
  const {result} = renderChat('echo', {fetch: unsure, threadId: first.result.current.threadId})
  await waitFor(() => expect(result.current).toMatchObject({status: 'failed', problem: {code: 'network'}}))
  broken = false
  await act(() => result.current.retry())
  await ready(result)
  expect(said(result.current.messages)).toEqual(['user: one', 'assistant: You said: one'])
})

test('a run that can no longer be followed goes on, and retry follows it again', async () => {
  let cut = new AbortController()
  const wire: typeof fetch = (input, init) => {
    const signals = [cut.signal, ...(init?.signal ? [init.signal] : [])]
    return fetch(input, {...init, signal: AbortSignal.any(signals)})
  }
  const {result} = renderChat('slow', {fetch: wire, backoff: {attempts: 1}})
  act(() => void result.current.send('go chat-7'))
  await waitFor(() => expect(result.current.status).toBe('streaming'))
  const {runId} = result.current.turns[0] ?? {}
  act(() => cut.abort())
  await waitFor(() => expect(result.current).toMatchObject({status: 'failed', problem: {code: 'network'}}))
  cut = new AbortController()
  act(() => void result.current.retry())
  await waitFor(() => expect(result.current.status).toBe('streaming'))
  await server.release('chat-7', 'all')
  await ready(result)
  expect(result.current.turns.map(turn => [turn.runId, turn.transcript.output])).toEqual([[runId, ALL_WORDS]])
})

test('an interrupt is answered by one value', async () => {
  const {result} = renderChat('ask')
  await act(() => result.current.send('go on'))
  expect(result.current.status).toBe('interrupted')
  expect(result.current.interrupts).toMatchObject([
    {interrupt_id: 'approve', value: {question: 'May I go on?', options: ['yes', 'no']}}
  ])
  await act(() => result.current.answer({answer: 'yes'}))
  expect(result.current).toMatchObject({status: 'ready', interrupts: []})
  expect(said(result.current.messages).at(-1)).toBe('assistant: Answered: approve=yes')
})

test('several interrupts are answered by id', async () => {
  const {result} = renderChat('ask')
  await act(() => result.current.send('do two things'))
  expect(result.current.interrupts.map(({interrupt_id}) => interrupt_id)).toEqual(['approve', 'reason'])
  await act(() => result.current.answer({answers: {approve: 'no', reason: 'too soon'}}))
  expect(said(result.current.messages).at(-1)).toBe('assistant: Answered: approve=no, reason=too soon')
})

test('files go with a message, and are shown in it', async () => {
  const {result} = renderChat('echo')
  await act(() => result.current.send({text: 'look', files: [{media_type: 'image/png', data: 'AAAA', name: 'a.png'}]}))
  expect(result.current.messages[0]?.parts).toMatchObject([
    {type: 'text', text: 'look'},
    {type: 'file', media_type: 'image/png', data: 'AAAA', name: 'a.png'}
  ])
  expect(said(result.current.messages)[1]).toBe('assistant: You said: look (with 1 file)')
})

test('config, input and callbacks are those of the last render', async () => {
  const finished: string[] = []
  const {result, rerender} = renderChat('echo', {onFinish: () => finished.push('first')})
  rerender({
    config: {shout: true},
    toInput: ({text}) => `${text}!`,
    onFinish: ({status}: Turn) => finished.push(status)
  })
  await act(() => result.current.send('hi'))
  expect(said(result.current.messages)).toEqual(['user: hi!', 'assistant: YOU SAID: HI!'])
  expect(finished).toEqual(['completed'])
})

test('unmounting in mid-stream leaves the run alone, and a reload follows it from where it is', async () => {
  const first = renderChat('slow', {}, true)
  act(() => void first.result.current.send('go chat-4'))
  await waitFor(() => expect(first.result.current.status).toBe('streaming'))
  const {run} = first.result.current.turns[0] ?? {}
  first.unmount()
  await waitFor(() => expect(run?.getSnapshot().connection.state).toBe('closed'))
  await server.release('chat-4', 3)

  const {result} = renderChat('slow', {}, true)
  await waitFor(() =>
    expect(said(result.current.messages)).toEqual(['user: go chat-4', 'assistant: zero one two three'])
  )
  expect(result.current).toMatchObject({status: 'streaming', threadId: first.result.current.threadId})
  await server.release('chat-4', 'all')
  await ready(result)
  expect(said(result.current.messages)[1]).toBe(`assistant: ${ALL_WORDS}`)
})

test('another threadId is another thread, and none is a new one', async () => {
  const first = renderChat('echo')
  await act(() => first.result.current.send('one'))
  const {threadId} = first.result.current
  const {result, rerender} = renderChat('echo', {threadId: 'chat-empty', remember: false})
  await ready(result)
  expect(result.current).toMatchObject({threadId: 'chat-empty', messages: []})
  rerender({threadId, remember: false})
  expect(result.current.status).toBe('restoring')
  await waitFor(() => expect(said(result.current.messages)).toEqual(['user: one', 'assistant: You said: one']))
  rerender({remember: false})
  await ready(result)
  expect(result.current.messages).toEqual([])
  expect([threadId, 'chat-empty']).not.toContain(result.current.threadId)
})

test('opening a new thread in mid-stream leaves the run alone', async () => {
  const {result} = renderChat('slow')
  act(() => void result.current.send('go chat-5'))
  await waitFor(() => expect(result.current.status).toBe('streaming'))
  const {threadId} = result.current
  act(() => result.current.open())
  expect(result.current).toMatchObject({status: 'ready', messages: []})
  await server.release('chat-5', 'all')
  act(() => result.current.open(threadId))
  await waitFor(() => expect(said(result.current.messages)[1]).toBe(`assistant: ${ALL_WORDS}`))
})

test('another agent is another chat', async () => {
  const {result, rerender} = renderChat('echo')
  await act(() => result.current.send('one'))
  rerender(server.agent('fail'))
  await ready(result)
  expect(result.current.messages).toEqual([])
  await act(() => result.current.send('once'))
  expect(result.current.problem).toMatchObject({code: 'provider'})
})

test('a chat on a client that was given lets go of its runs when it leaves', async () => {
  const client = connect(server.agent('slow'))
  const {result, unmount} = renderHook(() => useStreamingChat({client}))
  act(() => void result.current.send('go chat-6'))
  await waitFor(() => expect(result.current.status).toBe('streaming'))
  const {run} = result.current.turns[0] ?? {}
  unmount()
  await waitFor(() => expect(run?.getSnapshot().connection.state).toBe('closed'))
  expect((await client.run(run?.id ?? '')).status).toBe('running')
})

test('a mistake is told to whoever waits, and is no unhandled rejection for who does not', async () => {
  const {result} = renderChat('echo')
  void result.current.regenerate('nowhere')
  await expect(result.current.edit('nowhere', 'x')).rejects.toMatchObject({code: 'not_found'})
})
