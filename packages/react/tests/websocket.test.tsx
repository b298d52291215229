// @vitest-environment jsdom
import {act, cleanup, renderHook, waitFor} from '@testing-library/react'
import {connect} from '@unspool/client'
import {StrictMode} from 'react'
import {afterEach, expect, test} from 'vitest'
import {WebSocket as NodeSocket} from 'ws'
import {useWebSocketStreaming} from '../src/index.js'
import {acting} from './acting.js'
import {testServer} from './server.js'

const server = testServer()
afterEach(cleanup)

const ALL_WORDS = 'zero one two three four five six seven eight nine ten'

/** A real socket, counted: jsdom's and that of Node do not work side by side. */
function countedSocket(): {opened: NodeSocket[]; socket: typeof WebSocket} {
  const opened: NodeSocket[] = []
  class Counted extends NodeSocket {
    constructor(url: string) {
      super(url)
      opened.push(this)
    }
  }
  return {opened, socket: Counted as unknown as typeof WebSocket}
}

test('many runs go over one socket, and one that is stopped does not touch the others', async () => {
  const {opened, socket} = countedSocket()
  const {result} = renderHook(() => useWebSocketStreaming({...server.agent('slow'), WebSocket: socket}), {
    wrapper: StrictMode
  })
  expect(result.current).toMatchObject({runs: [], isStreaming: false, connection: undefined})
  const runs = acting(() => ['a', 'b', 'c'].map(gate => result.current.start(`go socket-${gate}`)))
  const text = (at: number) => result.current.runs[at]?.messages.at(-1)?.parts.map(part => 'text' in part && part.text)
  await waitFor(() => expect([0, 1, 2].map(text)).toEqual([['zero'], ['zero'], ['zero']]))
  expect(result.current.runs.map(({id}) => id)).toEqual(runs.map(({id}) => id))
  expect(result.current.connection).toMatchObject({state: 'open', transport: 'websocket'})

  await act(() => result.current.stop(runs[1]?.id ?? ''))
  await waitFor(() => expect(result.current.runs[1]?.status).toBe('cancelled'))
  await server.release('socket-a', 'all')
  await waitFor(() => expect(result.current.runs[0]?.output).toBe(ALL_WORDS))
  expect(result.current).toMatchObject({isStreaming: true})
  expect(result.current.runs[2]?.status).toBe('running')
  await server.release('socket-c', 'all')
  await waitFor(() => expect(result.current.isStreaming).toBe(false))
  expect(result.current.runs.map(({status}) => status)).toEqual(['completed', 'cancelled', 'completed'])
  expect(opened).toHaveLength(1)
})

test('a run that does not change keeps its object, and one that was removed is gone', async () => {
  const {result} = renderHook(() => useWebSocketStreaming({...server.agent('slow'), WebSocket: countedSocket().socket}))
  const [one, two] = acting(() => [result.current.start('go socket-d'), result.current.start('go socket-e')])
  await waitFor(() => expect(result.current.runs.map(({last_seq}) => last_seq)).toEqual([3, 3]))
  const before = result.current.runs
  await server.release('socket-e', 1)
  await waitFor(() => expect(result.current.runs[1]?.last_seq).toBe(4))
  expect(result.current.runs[0]).toBe(before[0])

  act(() => result.current.remove())
  expect(result.current.runs).toHaveLength(2)
  act(() => result.current.remove(one?.id))
  expect(result.current.runs.map(({id}) => id)).toEqual([two?.id])
  expect((await connect({url: server.url('slow')}).run(one?.id ?? '')).status).toBe('running')
  await Promise.all(['socket-d', 'socket-e'].map(gate => server.release(gate, 'all')))
  await waitFor(() => expect(result.current.isStreaming).toBe(false))
  act(() => result.current.remove())
  expect(result.current.runs).toEqual([])
})

test('the socket of a component is closed with it, and its runs go on', async () => {
  const {opened, socket} = countedSocket()
  const {result, unmount} = renderHook(() => useWebSocketStreaming({...server.agent('slow'), WebSocket: socket}))
  const run = acting(() => result.current.start('go socket-f'))
  await waitFor(() => expect(result.current.runs[0]?.last_seq).toBe(3))
  unmount()
  await waitFor(() => expect(opened.map(({readyState}) => readyState)).toEqual([NodeSocket.CLOSED]))
  expect((await connect({url: server.url('slow')}).run(run.id)).status).toBe('running')
})
