// @vitest-environment jsdom
import {act, waitFor} from '@testing-library/react'
import {connect} from '@unspool/client'
import {StrictMode} from 'react'
import {hydrateRoot} from 'react-dom/client'
import {renderToString} from 'react-dom/server'
import {beforeEach, expect, test, vi} from 'vitest'
import {Everything} from './everything.js'
import {testServer} from './server.js'

const server = testServer()
beforeEach(() => vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true))

test('a page that a server rendered is taken over without a warning, and restores its thread', async () => {
  const client = connect(server.agent('echo'))
  const run = client.start('hello', {threadId: 'hydrated'})
  await run.finished
  sessionStorage.setItem(`unspool:${client.url}`, 'hydrated')
  const page = (
    <StrictMode>
      <Everything client={client} />
    </StrictMode>
  )
  const container = document.createElement('div')
  container.innerHTML = renderToString(page)
  expect(container.textContent).toContain('chat restoring')

  const complaints = vi.spyOn(console, 'error')
  const mismatches: unknown[] = []
  const root = await act(async () =>
    hydrateRoot(container, page, {onRecoverableError: error => mismatches.push(error)})
  )
  await waitFor(() => expect(container.textContent).toContain('You said: hello'))
  expect(container.textContent).toContain('chat ready')
  expect(mismatches).toEqual([])
  expect(complaints).not.toHaveBeenCalled()
  act(() => root.unmount())
})
