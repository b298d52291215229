// @vitest-environment jsdom
import {act, cleanup, renderHook, waitFor} from '@testing-library/react'
import {connect} from '@unspool/client'
import {afterEach, expect, test} from 'vitest'
import {UnspoolProvider, useSchemas, useStreamingChat, useThreads} from '../src/index.js'
import {testServer} from './server.js'

const server = testServer()
afterEach(cleanup)

test('threads are there newest first, and reload shows what a chat has added', async () => {
  const client = connect(server.agent('echo'))
  await client.start('older', {threadId: 'threads-older'}).finished
  const {result} = renderHook(
    () => {
      const threads = useThreads()
      return {threads, chat: useStreamingChat({threadId: 'threads-newer', onFinish: threads.reload})}
    },
    {wrapper: ({children}) => <UnspoolProvider client={client}>{children}</UnspoolProvider>}
  )
  expect(result.current.threads).toMatchObject({threads: [], status: 'loading', hasMore: false})
  await waitFor(() => expect(result.current.threads.status).toBe('ready'))
  const mine = () =>
    result.current.threads.threads.filter(({id}) => id.startsWith('threads-')).map(({id, title}) => [id, title])
  expect(mine()).toEqual([['threads-older', 'older']])

  await waitFor(() => expect(result.current.chat.status).toBe('ready'))
  await act(() => result.current.chat.send('newer'))
  await waitFor(() =>
    expect(mine()).toEqual([
      ['threads-newer', 'newer'],
      ['threads-older', 'older']
    ])
  )
})

test('older threads come page by page, and stay when the newest are asked for again', async () => {
  const client = connect(server.agent('form'))
  const start = (number: number) => client.start({city: 'Delft', nights: 1}, {threadId: `threads-${number}`}).finished
  for (let number = 1; number <= 52; number += 1) await start(number)
  const {result} = renderHook(() => useThreads({client}))
  await waitFor(() => expect(result.current.threads).toHaveLength(50))
  expect(result.current.hasMore).toBe(true)
  await start(53)
  await act(() => result.current.loadMore())
  expect(result.current.threads).toHaveLength(52)
  await act(() => result.current.reload())
  const numbers = Array.from({length: 53}, (_, index) => `threads-${53 - index}`)
  expect(result.current.threads.map(({id}) => id)).toEqual(numbers)
  expect(result.current.hasMore).toBe(false)
})

test('an agent that cannot be reached is an error that a reload can cure', async () => {
  let broken = true
  const unsure: typeof fetch = async (input, init) => {
    if (broken) throw new TypeError('fetch failed')
    return fetch(input, init)
  }
  const {result} = renderHook(() => useThreads({...server.agent('echo'), fetch: unsure}))
  await waitFor(() => expect(result.current).toMatchObject({status: 'failed', error: {code: 'network'}}))
  broken = false
  await act(() => result.current.reload())
  expect(result.current).toMatchObject({status: 'ready', error: undefined})
})

test('schemas are those of the agent, also after it changed', async () => {
  const {result, rerender} = renderHook(({agent}) => useSchemas(server.agent(agent)), {initialProps: {agent: 'form'}})
  expect(result.current).toMatchObject({status: 'loading', schemas: undefined})
  await waitFor(() => expect(result.current.schemas?.input).toMatchObject({required: ['city', 'nights']}))
  rerender({agent: 'echo'})
  expect(result.current).toMatchObject({status: 'loading', schemas: undefined})
  await waitFor(() => expect(result.current.schemas?.config).toHaveProperty('properties.shout'))
})

test('of two loads at a time the last one counts, whichever ends first', async () => {
  const held: (() => void)[] = []
  const slowAtFirst: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    if (held.length === 0) await new Promise<void>(resolve => held.push(resolve))
    return response
  }
  const client = connect({...server.agent('long'), fetch: slowAtFirst})
  const {result} = renderHook(() => useThreads({client}))
  await waitFor(() => expect(held).toHaveLength(1))
  await connect(server.agent('long')).start('x', {threadId: 'late', config: {characters: 4}}).finished
  await act(() => result.current.reload())
  expect(result.current.threads.map(({id}) => id)).toEqual(['late'])
  await act(async () => held[0]?.())
  expect(result.current).toMatchObject({status: 'ready', threads: [{id: 'late'}]})
})
