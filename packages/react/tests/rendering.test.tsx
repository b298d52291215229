// @vitest-environment jsdom
import {act, cleanup, render, screen, waitFor} from '@testing-library/react'
import {type Client, connect, type TextPart} from '@unspool/client'
import {Profiler} from 'react'
import {afterEach, expect, test, vi} from 'vitest'
import {StreamingMessage, useStreamingChat} from '../src/index.js'
import {testServer} from './server.js'

const server = testServer()
afterEach(cleanup)

interface ChatProps {
  client: Client
  threadId: string
  renderText: (part: TextPart) => string
}

function Chat({client, threadId, renderText}: ChatProps) {
  const {messages, turns, status, send} = useStreamingChat({client, threadId})
  return (
    <>
      {messages.map(message => (
        <StreamingMessage key={message.id} {...{message, renderText}} />
      ))}
      {['/slow rendering', '/long'].map(question => (
        <button key={question} type="button" onClick={() => send(question)}>
          {question}
        </button>
      ))}
      <p role="status">{`${status}, ${turns.length} turns`}</p>
    </>
  )
}

/** A chat with so many turns behind it, how often each text was rendered, and how often React committed. */
async function setUp(threadId: string, turns: number) {
  const client = connect({url: server.url('agent')})
  await Promise.all(Array.from({length: turns}, (_, turn) => client.start(`question ${turn}`, {threadId}).finished))
  const renders = new Map<TextPart, number>()
  const renderText = (part: TextPart) => {
    renders.set(part, (renders.get(part) ?? 0) + 1)
    return part.text
  }
  const committed = vi.fn()
  render(
    <Profiler id="chat" onRender={committed}>
      <Chat {...{client, threadId, renderText}} />
    </Profiler>
  )
  const done = (count: number) => screen.findByText(`ready, ${count} turns`, {}, {timeout: 30_000})
  await done(turns)
  return {renders, committed, done}
}

const answer = () => screen.getAllByRole('article').at(-1)?.textContent

test('of 200 messages only the one that grows renders again', async () => {
  const {renders, done} = await setUp('rendering-1', 100)
  const history = [...renders.keys()]
  expect(history).toHaveLength(200)
  act(() => screen.getByRole('button', {name: '/slow rendering'}).click())
  for (const words of ['zero', 'zero one', 'zero one two', 'zero one two three']) {
    await waitFor(() => expect(answer()).toBe(words))
    await server.release('rendering', words.endsWith('three') ? 'all' : 1)
  }
  await done(101)
  expect(renders.size).toBeGreaterThanOrEqual(history.length + 5)
  expect([...renders].filter(([part, times]) => history.includes(part) && times > 1)).toEqual([])
}, 60_000)

test('a burst of 5,000 tokens is committed once per frame at most', async () => {
  const {committed, done} = await setUp('rendering-2', 1)
  committed.mockClear()
  const frames = countFrames()
  act(() => screen.getByRole('button', {name: '/long'}).click())
  await done(2)
  expect(answer()).toHaveLength(20_000)
  // Beside the frames: for the question, for the end of the run, and for the turn that it became.
  expect(committed.mock.calls.length).toBeLessThanOrEqual(frames.stop() + 3)
}, 60_000)

function countFrames(): {stop(): number} {
  let frames = 0
  const tick = () => {
    frames += 1
    next = requestAnimationFrame(tick)
  }
  let next = requestAnimationFrame(tick)
  return {
    stop() {
      cancelAnimationFrame(next)
      return frames
    }
  }
}
