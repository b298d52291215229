// @vitest-environment jsdom
import {act, cleanup, renderHook, waitFor} from '@testing-library/react'
import {type Client, connect} from '@unspool/client'
import {StrictMode} from 'react'
import {afterEach, expect, test} from 'vitest'
import {type StreamingResponseOptions, UnspoolProvider, useClient, useStreamingResponse} from '../src/index.js'
import {acting} from './acting.js'
import {testServer} from './server.js'

const server = testServer()
afterEach(cleanup)

const ALL_WORDS = 'zero one two three four five six seven eight nine ten'

/** Starts a run that waits at a gate, and waits for its first word. */
async function startSlow(hook: {current: ReturnType<typeof useStreamingResponse>}, gate: string): Promise<string> {
  const run = acting(() => hook.current.start(`go ${gate}`))
  await waitFor(() => expect(hook.current.text).toBe('zero'))
  return run.id
}

async function ended(client: Client, runId: string, status: string): Promise<void> {
  await waitFor(async () => expect((await client.run(runId)).status).toBe(status))
}

test('shows nothing, then the answer as it comes, then its output', async () => {
  const {result} = renderHook(() => useStreamingResponse(server.agent('slow')))
  expect(result.current).toMatchObject({status: 'idle', text: '', isStreaming: false, run: undefined})

  act(() => void result.current.start('go response-1'))
  expect(result.current).toMatchObject({status: 'submitted', isStreaming: true})
  await waitFor(() => expect(result.current).toMatchObject({status: 'streaming', text: 'zero'}))
  await server.release('response-1', 2)
  await waitFor(() => expect(result.current.text).toBe('zero one two'))
  expect(result.current).toMatchObject({status: 'streaming', isStreaming: true, output: undefined})
  expect(result.current.connection).toMatchObject({state: 'open'})

  await server.release('response-1', 'all')
  await waitFor(() => expect(result.current.status).toBe('completed'))
  expect(result.current).toMatchObject({text: ALL_WORDS, output: ALL_WORDS, isStreaming: false, error: undefined})
  expect(result.current.messages.map(({role}) => role)).toEqual(['user', 'assistant'])
  expect(result.current.timing?.tokens).toBe(11)
})

test('shows reasoning, tools, usage and output', async () => {
  const {result} = renderHook(() => useStreamingResponse(server.agent('tools')))
  act(() => void result.current.start('How is the weather?'))
  await waitFor(() => expect(result.current.status).toBe('completed'))
  expect(result.current.reasoning).toBe('They ask about the weather. I will look it up.')
  expect(result.current.text).toBe('It is 18 °C in Utrecht, and the sky is clear.')
  expect(result.current.usage).toMatchObject({input_tokens: 120, output_tokens: 40, total_tokens: 160})
  expect(result.current.snapshot?.state).toEqual({city: 'Utrecht', celsius: 18})
  expect(result.current.messages[1]?.parts.map(({type}) => type)).toContain('tool')
})

test('takes any input, and gives any output', async () => {
  const {result} = renderHook(() => useStreamingResponse(server.agent('form')))
  act(() => void result.current.start({city: 'Utrecht', nights: 3, breakfast: true}))
  await waitFor(() => expect(result.current.output).toEqual({city: 'Utrecht', price: 285, currency: 'EUR'}))
})

test('under StrictMode a run is started once, and followed to its end', async () => {
  const {result} = renderHook(() => useStreamingResponse(server.agent('slow')), {wrapper: StrictMode})
  act(() => void result.current.start('go response-strict', {threadId: 'response-strict'}))
  await waitFor(() => expect(result.current.text).toBe('zero'))
  await server.release('response-strict', 'all')
  await waitFor(() => expect(result.current).toMatchObject({status: 'completed', text: ALL_WORDS}))
  const client = connect({url: server.url('slow')})
  expect((await client.runs({threadId: 'response-strict'})).runs).toHaveLength(1)
})

test('unmounting in mid-stream stops following, and the run goes on', async () => {
  const {result, unmount} = renderHook(() => useStreamingResponse(server.agent('slow')))
  const runId = await startSlow(result, 'response-unmount')
  const {run} = result.current
  unmount()
  await waitFor(() => expect(run?.getSnapshot().connection.state).toBe('closed'))
  const client = connect({url: server.url('slow')})
  expect((await client.run(runId)).status).toBe('running')
  await server.release('response-unmount', 'all')
  await ended(client, runId, 'completed')
})

test('the latest start wins, and the earlier run goes on', async () => {
  const {result} = renderHook(() => useStreamingResponse(server.agent('slow')))
  const earlier = await startSlow(result, 'response-earlier')
  const later = acting(() => result.current.start('go response-later'))
  expect(result.current).toMatchObject({text: '', status: 'submitted'})
  await server.release('response-later', 1)
  await waitFor(() => expect(result.current.text).toBe('zero one'))
  expect(result.current.run?.id).toBe(later.id)

  await server.release('response-earlier', 'all')
  const client = connect({url: server.url('slow')})
  await ended(client, earlier, 'completed')
  expect(result.current.text).toBe('zero one')
  await server.release('response-later', 'all')
  await waitFor(() => expect(result.current.text).toBe(ALL_WORDS))
})

test('of two starts in one event only the last is shown', async () => {
  const {result} = renderHook(() => useStreamingResponse(server.agent('echo')))
  act(() => {
    result.current.start('one')
    result.current.start('two')
  })
  await waitFor(() => expect(result.current.status).toBe('completed'))
  expect(result.current.text).toBe('You said: two')
})

test('`onRestart: stop` stops the earlier run', async () => {
  const {result} = renderHook(() => useStreamingResponse({...server.agent('slow'), onRestart: 'stop'}))
  const earlier = await startSlow(result, 'response-stopped')
  act(() => void result.current.start('go response-after'))
  await ended(connect({url: server.url('slow')}), earlier, 'cancelled')
  await waitFor(() => expect(result.current).toMatchObject({status: 'streaming', text: 'zero'}))
  await server.release('response-after', 'all')
  await waitFor(() => expect(result.current.status).toBe('completed'))
})

test('stop keeps what was said', async () => {
  const {result} = renderHook(() => useStreamingResponse(server.agent('slow')))
  await startSlow(result, 'response-stop')
  await act(() => result.current.stop())
  await waitFor(() => expect(result.current.status).toBe('cancelled'))
  expect(result.current).toMatchObject({text: 'zero', isStreaming: false})
})

test('reset shows nothing again, and leaves the run alone', async () => {
  const {result} = renderHook(() => useStreamingResponse(server.agent('slow')))
  const runId = await startSlow(result, 'response-reset')
  act(() => result.current.reset())
  expect(result.current).toMatchObject({status: 'idle', text: '', run: undefined})
  await server.release('response-reset', 'all')
  await ended(connect({url: server.url('slow')}), runId, 'completed')
  expect(result.current.status).toBe('idle')
})

test('a run that fails says why, and keeps what was said', async () => {
  const {result} = renderHook(() => useStreamingResponse(server.agent('fail')))
  act(() => void result.current.start('late'))
  await waitFor(() => expect(result.current.status).toBe('failed'))
  expect(result.current.text).toBe('Half an answer')
  expect(result.current.error).toMatchObject({
    name: 'UnspoolError',
    code: 'provider',
    recoverable: true,
    message: 'The model is resting.'
  })
})

test('what an exception of the server says stays there', async () => {
  const {result} = renderHook(() => useStreamingResponse(server.agent('fail')))
  act(() => void result.current.start('internal'))
  await waitFor(() => expect(result.current.error).toMatchObject({code: 'internal', recoverable: false}))
  expect(result.current.error?.errorId).toBeTruthy()
  expect(JSON.stringify(result.current.snapshot)).not.toContain('swordfish')
})

test('a run that waits for a person is interrupted', async () => {
  const {result} = renderHook(() => useStreamingResponse(server.agent('ask')))
  act(() => void result.current.start('go on'))
  await waitFor(() => expect(result.current.status).toBe('interrupted'))
  expect(result.current.snapshot?.interrupts.map(({interrupt_id}) => interrupt_id)).toEqual(['approve'])
  expect(result.current.isStreaming).toBe(false)
})

test('another url is another agent: the response begins anew, and the earlier run goes on', async () => {
  const {result, rerender} = renderHook(options => useStreamingResponse(options), {
    initialProps: server.agent('slow') as StreamingResponseOptions
  })
  const runId = await startSlow(result, 'response-moved')
  rerender(server.agent('echo'))
  expect(result.current).toMatchObject({status: 'idle', text: ''})
  act(() => void result.current.start('hello'))
  await waitFor(() => expect(result.current.text).toBe('You said: hello'))
  await server.release('response-moved', 'all')
  await ended(connect({url: server.url('slow')}), runId, 'completed')
})

test('a headers function that is new in each render is asked, and does not connect anew', async () => {
  const sent: (string | null)[] = []
  const spied: typeof fetch = (input, init) => {
    sent.push(new Headers(init?.headers).get('X-Turn'))
    return fetch(input, init)
  }
  const {result, rerender} = renderHook(
    ({turn}) => {
      const source = {...server.agent('echo'), fetch: spied, headers: () => ({'X-Turn': turn})}
      return {client: useClient(source), response: useStreamingResponse(source)}
    },
    {initialProps: {turn: 'one'}}
  )
  const {client} = result.current
  act(() => void result.current.response.start('a'))
  await waitFor(() => expect(result.current.response.status).toBe('completed'))
  rerender({turn: 'two'})
  expect(result.current.response.text).toBe('You said: a')
  act(() => void result.current.response.start('b'))
  await waitFor(() => expect(result.current.response.text).toBe('You said: b'))
  expect(result.current.client).toBe(client)
  expect(sent).toEqual(['one', 'two'])
})

test('hooks take the client of the provider around them, unless they are given their own', async () => {
  const echo = connect(server.agent('echo'))
  const {result} = renderHook(
    () => ({around: useStreamingResponse(), own: useStreamingResponse({...server.agent('form')}), client: useClient()}),
    {wrapper: ({children}) => <UnspoolProvider client={echo}>{children}</UnspoolProvider>}
  )
  expect(result.current.client).toBe(echo)
  act(() => {
    result.current.around.start('hello')
    result.current.own.start({city: 'Delft', nights: 1})
  })
  await waitFor(() => expect(result.current.around.text).toBe('You said: hello'))
  await waitFor(() => expect(result.current.own.output).toMatchObject({city: 'Delft', price: 80}))
})

test('a client that was given is not closed with the component, which lets go of its own run', async () => {
  const client = connect(server.agent('slow'))
  const other = client.start('go response-given')
  const {result, unmount} = renderHook(() => useStreamingResponse({client}))
  await startSlow(result, 'response-own')
  const {run} = result.current
  unmount()
  await waitFor(() => expect(run?.getSnapshot().connection.state).toBe('closed'))
  await server.release('response-given', 'all')
  expect((await other.finished).output).toBe(ALL_WORDS)
})

test('what a component starts on a client of its own is let go of with it', async () => {
  const {result, unmount} = renderHook(() => useClient(server.agent('slow')))
  const client = result.current
  const run = client.start('go response-client')
  for await (const {event} of run) if (event.type === 'token') break
  unmount()
  await waitFor(() => expect(run.getSnapshot().connection.state).toBe('closed'))
  expect((await client.run(run.id)).status).toBe('running')
})

test('without any agent a hook says what is missing', () => {
  expect(() => renderHook(() => useStreamingResponse())).toThrow('<UnspoolProvider>')
})
