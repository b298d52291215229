// @vitest-environment jsdom
import {act, cleanup, render, screen, waitFor} from '@testing-library/react'
import {connect, textOf} from '@unspool/client'
import {afterEach, expect, test, vi} from 'vitest'
import {type ChatStore, createChatStore, useChatStore} from '../src/zustand.js'
import {testServer} from './server.js'

const server = testServer()
afterEach(cleanup)

function Status({store, rendered}: {store: ChatStore; rendered: () => void}) {
  rendered()
  return <p>{useChatStore(store, ({status}) => status)}</p>
}

function said(store: ChatStore): string[] {
  return store.getState().messages.map(textOf)
}

test('the store mirrors the chat, without React', async () => {
  const store = createChatStore({client: connect(server.agent('slow'))})
  const seen: string[] = []
  store.subscribe(({status}) => seen.push(status))
  const turn = store.getState().send('go zustand-1')
  await waitFor(() => expect(said(store)).toEqual(['go zustand-1', 'zero']))
  expect(store.getState().status).toBe('streaming')
  await server.release('zustand-1', 'all')
  expect((await turn).status).toBe('completed')
  expect(store.getState().status).toBe('ready')
  expect([...new Set(seen)]).toEqual(['submitted', 'streaming', 'ready'])
})

test('an error is gone from the store once a retry has worked', async () => {
  const store = createChatStore({client: connect(server.agent('fail'))})
  await store.getState().send('once')
  expect(store.getState()).toMatchObject({status: 'failed', problem: {code: 'provider'}})
  await store.getState().regenerate()
  expect(store.getState()).toMatchObject({status: 'ready', problem: undefined})
  expect(said(store)).toEqual(['once', 'This time it worked.'])
})

test('a component renders again only when what it selects has changed', async () => {
  const store = createChatStore({client: connect(server.agent('slow'))})
  const rendered = vi.fn()
  render(<Status store={store} rendered={rendered} />)
  expect(screen.getByText('ready')).toBeTruthy()
  await act(async () => void store.getState().send('go zustand-2'))
  await screen.findByText('streaming')
  const before = rendered.mock.calls.length
  for (const words of [1, 2, 3]) {
    await act(() => server.release('zustand-2'))
    await waitFor(() => expect(said(store)[1]?.split(' ')).toHaveLength(words + 1))
  }
  expect(rendered).toHaveBeenCalledTimes(before)
  await act(() => server.release('zustand-2', 'all'))
  await screen.findByText('ready')
})

test('a store for a thread restores it', async () => {
  const client = connect(server.agent('echo'))
  await client.start('hello', {threadId: 'zustand-3'}).finished
  const store = createChatStore({client, threadId: 'zustand-3'})
  expect(store.getState().status).toBe('restoring')
  await waitFor(() => expect(said(store)).toEqual(['hello', 'You said: hello']))
})
