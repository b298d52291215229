// @vitest-environment jsdom
import {QueryClient, QueryClientProvider, useMutation, useQuery} from '@tanstack/react-query'
import {act, cleanup, renderHook, waitFor} from '@testing-library/react'
import {connect, type Run, type RunSnapshot} from '@unspool/client'
import type {ReactNode} from 'react'
import {afterEach, expect, test} from 'vitest'
import {runMutationOptions, runQuery, threadQuery, threadsQuery} from '../src/query.js'
import {testServer} from './server.js'

const server = testServer()
afterEach(cleanup)

function setUp(agent: string) {
  const queryClient = new QueryClient({defaultOptions: {queries: {retry: false}}})
  const client = connect(server.agent(agent))
  const wrapper = ({children}: {children: ReactNode}) => (
    <QueryClientProvider client={queryClient}>{children}</QueryClientProvider>
  )
  return {queryClient, client, wrapper}
}

/** A mutation on the slow agent, and what it tells of its runs. */
function setUpSlow() {
  const {queryClient, client, wrapper} = setUp('slow')
  const runs: Run[] = []
  const texts: unknown[] = []
  const onSnapshot = ({messages}: RunSnapshot) => texts.push(messages[1]?.parts[0])
  const options = () => runMutationOptions({client, queryClient, onStart: run => runs.push(run), onSnapshot})
  return {client, runs, texts, ...renderHook(() => useMutation(options()), {wrapper})}
}

test('a mutation streams, and resolves with what the run has come to', async () => {
  const {result, runs, texts} = setUpSlow()
  act(() => result.current.mutate({input: 'go query-1'}))
  await waitFor(() => expect(texts.at(-1)).toMatchObject({text: 'zero'}))
  expect(result.current.isPending).toBe(true)
  await server.release('query-1', 'all')
  await waitFor(() => expect(result.current.isSuccess).toBe(true))
  expect(result.current.data?.output).toBe('zero one two three four five six seven eight nine ten')
  expect(result.current.data?.run_id).toBe(runs[0]?.id)
})

test('success makes the agent’s queries out of date', async () => {
  const {queryClient, client, wrapper} = setUp('echo')
  const {result} = renderHook(
    () => ({
      threads: useQuery(threadsQuery(client)),
      start: useMutation(runMutationOptions({client, queryClient}))
    }),
    {wrapper}
  )
  await waitFor(() => expect(result.current.threads.isSuccess).toBe(true))
  const ids = () => result.current.threads.data?.threads.map(({id}) => id)
  expect(ids()).not.toContain('query-2')
  await act(() => result.current.start.mutateAsync({input: 'hello', threadId: 'query-2'}))
  await waitFor(() => expect(ids()).toContain('query-2'))
})

test('only the queries that were named are made out of date', async () => {
  const {queryClient, client, wrapper} = setUp('echo')
  const {result} = renderHook(() => useMutation(runMutationOptions({client, queryClient, invalidate: [['mine']]})), {
    wrapper
  })
  queryClient.setQueryData(['mine'], 1)
  queryClient.setQueryData(threadsQuery(client).queryKey, {threads: [], next: null})
  await act(() => result.current.mutateAsync({input: 'hello'}))
  expect(queryClient.getQueryState(['mine'])?.isInvalidated).toBe(true)
  expect(queryClient.getQueryState(threadsQuery(client).queryKey)?.isInvalidated).toBe(false)
})

test('a run that fails rejects, and nothing is out of date', async () => {
  const {queryClient, client, wrapper} = setUp('fail')
  const {result} = renderHook(() => useMutation(runMutationOptions({client, queryClient})), {wrapper})
  queryClient.setQueryData(threadsQuery(client).queryKey, {threads: [], next: null})
  act(() => result.current.mutate({input: 'late'}))
  await waitFor(() => expect(result.current.error).toMatchObject({code: 'provider', recoverable: true}))
  expect(queryClient.getQueryState(threadsQuery(client).queryKey)?.isInvalidated).toBe(false)
})

test.each([
  ['reset', (hook: ReturnType<typeof setUpSlow>) => hook.result.current.reset()],
  ['unmount', (hook: ReturnType<typeof setUpSlow>) => hook.unmount()],
  ['another', (hook: ReturnType<typeof setUpSlow>) => hook.result.current.mutate({input: 'go query-other'})]
])('%s detaches from the run, which goes on', async (how, leave) => {
  const hook = setUpSlow()
  act(() => hook.result.current.mutate({input: `go query-${how}`}))
  await waitFor(() => expect(hook.texts.at(-1)).toMatchObject({text: 'zero'}))
  act(() => leave(hook))
  const [run] = hook.runs
  await waitFor(() => expect(run?.getSnapshot().connection.state).toBe('closed'))
  expect((await hook.client.run(run?.id ?? '')).status).toBe('running')
  await server.release(`query-${how}`, 'all')
  await waitFor(async () => expect((await hook.client.run(run?.id ?? '')).status).toBe('completed'))
})

test('stop cancels the run, and the mutation resolves with what was said', async () => {
  const {result, runs, texts} = setUpSlow()
  act(() => result.current.mutate({input: 'go query-stop'}))
  await waitFor(() => expect(texts.at(-1)).toMatchObject({text: 'zero'}))
  await act(async () => runs[0]?.stop())
  await waitFor(() => expect(result.current.data).toMatchObject({status: 'cancelled'}))
})

test('a run and a thread can be asked for; what has ended stays as it is', async () => {
  const {client, wrapper} = setUp('echo')
  const run = client.start('hello', {threadId: 'query-3'})
  await run.finished
  const {result} = renderHook(
    () => ({run: useQuery(runQuery(client, run.id)), thread: useQuery(threadQuery(client, 'query-3'))}),
    {wrapper}
  )
  await waitFor(() => expect(result.current.run.data?.transcript?.messages).toHaveLength(2))
  expect(result.current.run.isStale).toBe(false)
  await waitFor(() => expect(result.current.thread.data?.runs.map(({id}) => id)).toEqual([run.id]))
  expect(result.current.thread.isStale).toBe(true)
})
