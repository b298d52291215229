// @vitest-environment jsdom
import {act, cleanup, render, screen, waitFor} from '@testing-library/react'
import {Activity, useEffect} from 'react'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {useStreamingChat, useStreamingResponse} from '../src/index.js'
import {testServer} from './server.js'

const server = testServer()
beforeEach(() => sessionStorage.clear())
afterEach(cleanup)

function Response() {
  const {text, start, run} = useStreamingResponse(server.agent('slow'))
  useEffect(() => {
    if (!run) start('go activity-1')
  }, [run, start])
  return <p data-testid="said">{text}</p>
}

function Chat() {
  const {messages, send} = useStreamingChat(server.agent('slow'))
  return (
    <button type="button" data-testid="said" onClick={() => send('go activity-2')}>
      {messages.flatMap(({parts}) => parts.map(part => 'text' in part && part.text)).join('; ')}
    </button>
  )
}

/** Renders it in a part of the page that can be hidden, as with a tab of an app. */
function renderHidable(page: React.ReactNode) {
  const shown = (mode: 'visible' | 'hidden') => <Activity mode={mode}>{page}</Activity>
  const {rerender} = render(shown('visible'))
  return (mode: 'visible' | 'hidden') => act(async () => rerender(shown(mode)))
}

async function says(text: string): Promise<void> {
  await waitFor(() => expect(screen.getByTestId('said').textContent).toBe(text))
}

test('a response that was hidden goes on from where it is when it is shown again', async () => {
  const show = renderHidable(<Response />)
  await says('zero')
  await show('hidden')
  await server.release('activity-1', 2)
  await show('visible')
  await says('zero one two')
  await server.release('activity-1', 'all')
  await says('zero one two three four five six seven eight nine ten')
})

test('so does a chat', async () => {
  const show = renderHidable(<Chat />)
  act(() => screen.getByTestId('said').click())
  await says('go activity-2; zero')
  await show('hidden')
  await server.release('activity-2', 2)
  await show('visible')
  await says('go activity-2; zero one two')
  await server.release('activity-2', 'all')
  await says('go activity-2; zero one two three four five six seven eight nine ten')
})
