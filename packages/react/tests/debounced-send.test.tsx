// @vitest-environment jsdom
import {act, cleanup, renderHook} from '@testing-library/react'
import {StrictMode} from 'react'
import {afterEach, beforeEach, expect, test, vi} from 'vitest'
import {useDebouncedSend} from '../src/index.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  cleanup()
  vi.useRealTimers()
})

function setUp(options?: {wait?: number}) {
  const sent: string[] = []
  const send = (text: string) => sent.push(text)
  return {sent, ...renderHook(() => useDebouncedSend(send, options), {wrapper: StrictMode})}
}

test('of several calls the last is sent, after the pause', () => {
  const {sent, result} = setUp()
  act(() => result.current.send('a'))
  act(() => vi.advanceTimersByTime(299))
  act(() => result.current.send('ab'))
  expect(result.current.pending).toBe(true)
  act(() => vi.advanceTimersByTime(299))
  expect(sent).toEqual([])
  act(() => vi.advanceTimersByTime(1))
  expect(sent).toEqual(['ab'])
  expect(result.current.pending).toBe(false)
})

test('flush sends at once, and not again', () => {
  const {sent, result} = setUp({wait: 1000})
  act(() => result.current.flush())
  expect(sent).toEqual([])
  act(() => result.current.send('a'))
  act(() => result.current.flush())
  expect(sent).toEqual(['a'])
  act(() => vi.advanceTimersByTime(1000))
  expect(sent).toEqual(['a'])
})

test('cancel and unmounting forget what waits', () => {
  const {sent, result, unmount} = setUp()
  act(() => result.current.send('a'))
  act(() => result.current.cancel())
  expect(result.current.pending).toBe(false)
  act(() => result.current.send('b'))
  unmount()
  vi.advanceTimersByTime(1000)
  expect(sent).toEqual([])
})
