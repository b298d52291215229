// @vitest-environment jsdom
import {act, cleanup, renderHook, waitFor} from '@testing-library/react'
import {connect} from '@unspool/client'
import {StrictMode} from 'react'
import {afterEach, expect, test} from 'vitest'
import {useRun} from '../src/index.js'
import {testServer} from './server.js'

const server = testServer()
afterEach(cleanup)

/** Starts a run that nobody here follows. */
async function startElsewhere(gate: string): Promise<string> {
  const run = connect({url: server.url('slow')}).start(`go ${gate}`)
  for await (const {event} of run) if (event.type === 'token') break
  run.detach()
  return run.id
}

test('watches a run that was started elsewhere, from its beginning', async () => {
  const runId = await startElsewhere('run-1')
  const {result} = renderHook(() => useRun(runId, server.agent('slow')), {wrapper: StrictMode})
  await waitFor(() => expect(result.current).toMatchObject({status: 'streaming', text: 'zero'}))
  await server.release('run-1', 'all')
  await waitFor(() => expect(result.current.status).toBe('completed'))
  expect(result.current.text).toBe('zero one two three four five six seven eight nine ten')
})

test('shows nothing without an id, and another run with another id', async () => {
  const echo = connect({url: server.url('echo')})
  const [one, two] = [echo.start('one'), echo.start('two')]
  await Promise.all([one.finished, two.finished])
  const {result, rerender} = renderHook(({id}) => useRun(id, server.agent('echo')), {
    initialProps: {id: undefined as string | undefined}
  })
  expect(result.current).toMatchObject({status: 'idle', messages: []})
  rerender({id: one.id})
  await waitFor(() => expect(result.current.text).toBe('You said: one'))
  rerender({id: two.id})
  expect(result.current.text).toBe('')
  await waitFor(() => expect(result.current.text).toBe('You said: two'))
  rerender({id: undefined})
  expect(result.current.status).toBe('idle')
})

test('says so where there is no such run', async () => {
  const {result} = renderHook(() => useRun('nowhere', server.agent('echo')))
  await waitFor(() => expect(result.current.status).toBe('failed'))
  expect(result.current.error).toMatchObject({code: 'not_found', recoverable: false})
})

test('leaving does not stop the run; stop does', async () => {
  const client = connect({url: server.url('slow')})
  const runId = await startElsewhere('run-2')
  const first = renderHook(() => useRun(runId, server.agent('slow')))
  await waitFor(() => expect(first.result.current.text).toBe('zero'))
  const {run} = first.result.current
  first.unmount()
  expect(run?.getSnapshot().connection.state).toBe('closed')
  await server.release('run-2', 1)

  const second = renderHook(() => useRun(runId, server.agent('slow')))
  await waitFor(() => expect(second.result.current.text).toBe('zero one'))
  expect((await client.run(runId)).status).toBe('running')
  await act(() => second.result.current.stop())
  await waitFor(() => expect(second.result.current).toMatchObject({status: 'cancelled', text: 'zero one'}))
})
