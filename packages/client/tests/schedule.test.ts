// @vitest-environment jsdom
import {afterEach, beforeEach, expect, test, vi} from 'vitest'
import {createScheduler} from '../src/schedule.js'

let frames: FrameRequestCallback[] = []
let now = 0

beforeEach(() => {
  vi.useFakeTimers({toFake: ['setTimeout', 'clearTimeout']})
  frames = []
  now = 0
  vi.spyOn(performance, 'now').mockImplementation(() => now)
  vi.stubGlobal('requestAnimationFrame', (callback: FrameRequestCallback) => frames.push(callback))
  vi.stubGlobal('cancelAnimationFrame', () => {})
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

function frame(): void {
  for (const callback of frames.splice(0)) callback(now)
}

function hide(hidden: boolean): void {
  Object.defineProperty(document, 'hidden', {value: hidden, configurable: true})
  document.dispatchEvent(new Event('visibilitychange'))
}

/** The message behind a frame has been delivered. */
function rendered(): Promise<void> {
  return new Promise(resolve => {
    const {port1, port2} = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      setImmediate(resolve)
    }
    port2.postMessage(undefined)
  })
}

test('by frame: however much comes, it is told once per frame', () => {
  const tell = vi.fn()
  const scheduler = createScheduler('frame')
  for (let token = 0; token < 50; token += 1) scheduler.request(tell, 1)
  expect(tell).not.toHaveBeenCalled()
  expect(frames).toHaveLength(1)
  frame()
  expect(tell).toHaveBeenCalledTimes(1)
  scheduler.request(tell, 1)
  frame()
  expect(tell).toHaveBeenCalledTimes(2)
})

test('by frame: after a commit that took long, the next waits as long', async () => {
  const tell = vi.fn(() => {
    now += 100
  })
  const scheduler = createScheduler('frame')
  scheduler.request(tell, 1)
  frame()
  await rendered()
  scheduler.request(tell, 1)
  expect(frames).toHaveLength(0)
  now += 84
  vi.advanceTimersByTime(84)
  frame()
  expect(tell).toHaveBeenCalledTimes(2)
})

test('the end is told at once, and not again', () => {
  const tell = vi.fn()
  const scheduler = createScheduler('frame')
  scheduler.request(tell, 1)
  scheduler.flush(tell)
  expect(tell).toHaveBeenCalledTimes(1)
  frame()
  expect(tell).toHaveBeenCalledTimes(1)
})

test('by count: told at the number of tokens, and what is left over soon after', () => {
  const tell = vi.fn()
  const scheduler = createScheduler({tokens: 3})
  scheduler.request(tell, 2)
  expect(tell).not.toHaveBeenCalled()
  scheduler.request(tell, 1)
  expect(tell).toHaveBeenCalledTimes(1)
  scheduler.request(tell, 1)
  vi.advanceTimersByTime(100)
  expect(tell).toHaveBeenCalledTimes(2)
})

test('by time: told after so many milliseconds', () => {
  const tell = vi.fn()
  const scheduler = createScheduler({ms: 50})
  scheduler.request(tell, 1)
  vi.advanceTimersByTime(49)
  scheduler.request(tell, 1)
  expect(tell).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1)
  expect(tell).toHaveBeenCalledTimes(1)
})

test.each([[{ms: 50}], [{tokens: 2}]] as const)('a hidden tab gathers, and tells when it is seen: %j', flush => {
  const tell = vi.fn()
  const scheduler = createScheduler(flush)
  hide(true)
  scheduler.request(tell, 5)
  scheduler.request(tell, 5)
  vi.advanceTimersByTime(10_000)
  expect(tell).not.toHaveBeenCalled()
  hide(false)
  expect(tell).toHaveBeenCalledTimes(1)
})

test('closed: nothing that was asked for before is told, and what is asked for later is', () => {
  const tell = vi.fn()
  const scheduler = createScheduler({ms: 50})
  scheduler.request(tell, 1)
  scheduler.close()
  vi.advanceTimersByTime(100)
  expect(tell).not.toHaveBeenCalled()
  scheduler.request(tell, 1)
  vi.advanceTimersByTime(100)
  expect(tell).toHaveBeenCalledTimes(1)
})
