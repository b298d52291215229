// @vitest-environment jsdom
import {act, cleanup, renderHook, waitFor} from '@testing-library/react'
import {createRoot} from 'react-dom/client'
import {afterEach, beforeEach, expect, test, vi} from 'vitest'
import {type Remember, type StreamingChat, useStreamingChat} from '../src/index.js'
import {testServer} from './server.js'

const server = testServer()
beforeEach(() => {
  sessionStorage.clear()
  history.replaceState(null, '', '/page?q=1')
})
afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})

function Shown({url}: {url: string}) {
  const {status, messages} = useStreamingChat({url})
  return <p>{`${status} ${messages.length}`}</p>
}

function renderChat(remember: Remember) {
  return renderHook(() => useStreamingChat({...server.agent('echo'), remember}))
}

async function ready(result: {current: StreamingChat}): Promise<void> {
  await waitFor(() => expect(result.current.status).toBe('ready'))
}

test('`session` finds the thread again in this tab, for this agent', async () => {
  const first = renderChat('session')
  expect(sessionStorage).toHaveLength(0)
  await act(() => first.result.current.send('one'))
  first.unmount()
  const again = renderChat('session')
  expect(again.result.current.status).toBe('restoring')
  await ready(again.result)
  expect(again.result.current.messages).toHaveLength(2)
  const other = renderHook(() => useStreamingChat(server.agent('fail')))
  expect(other.result.current.threadId).not.toBe(again.result.current.threadId)
})

test('a new chat in which nothing was asked is not remembered', async () => {
  const first = renderChat('session')
  await act(() => first.result.current.send('one'))
  act(() => first.result.current.open())
  first.unmount()
  const again = renderChat('session')
  await ready(again.result)
  expect(again.result.current.messages).toEqual([])
})

test('a browser that refuses its storage does not break the chat', async () => {
  const storage = Object.getOwnPropertyDescriptor(window, 'sessionStorage')
  const refuse = () => {
    throw new DOMException('denied', 'SecurityError')
  }
  Object.defineProperty(window, 'sessionStorage', {configurable: true, get: refuse})
  try {
    const {result} = renderChat('session')
    await act(() => result.current.send('one'))
    expect(result.current.messages).toHaveLength(2)
  } finally {
    if (storage) Object.defineProperty(window, 'sessionStorage', storage)
  }
})

test('`hash` keeps the thread in the address, and follows it when that changes', async () => {
  const {result} = renderChat('hash')
  expect(location.hash).toBe('')
  await act(() => result.current.send('one'))
  const {threadId} = result.current
  expect(location.href).toMatch(`/page?q=1#${threadId}`)

  act(() => result.current.open())
  expect(location.hash).toBe('')
  act(() => {
    location.hash = threadId
  })
  await waitFor(() => expect(result.current).toMatchObject({threadId, status: 'ready'}))
  expect(result.current.messages).toHaveLength(2)
})

test('a place of your own', async () => {
  const notes: (string | undefined)[] = []
  const remember = {get: () => notes.at(-1), set: (threadId: string | undefined) => notes.push(threadId)}
  const first = renderChat(remember)
  await act(() => first.result.current.send('one'))
  expect(new Set(notes.filter(Boolean))).toEqual(new Set([first.result.current.threadId]))
  first.unmount()
  const again = renderChat(remember)
  await waitFor(() => expect(again.result.current.messages).toHaveLength(2))
})

test('`false` remembers nothing', async () => {
  const {result} = renderChat(false)
  await act(() => result.current.send('one'))
  expect([sessionStorage.length, location.hash]).toEqual([0, ''])
})

test('a thread that is remembered is never shown as an empty chat on the way', async () => {
  const first = renderChat('session')
  await act(() => first.result.current.send('one'))
  first.unmount()
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', false) // to see what a person would, and not only the end
  const container = document.createElement('div')
  const seen: (string | null)[] = []
  new MutationObserver(() => seen.push(container.textContent)).observe(container, {
    childList: true,
    characterData: true,
    subtree: true
  })
  const root = createRoot(container)
  root.render(<Shown url={server.url('echo')} />)
  await vi.waitFor(() => expect(seen.at(-1)).toBe('ready 2'))
  expect(seen).toEqual(['restoring 0', 'ready 2'])
  root.unmount()
})
