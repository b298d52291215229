import {connect} from '@unspool/client'
import {renderToString} from 'react-dom/server'
import {expect, test, vi} from 'vitest'
import {Everything} from './everything.js'

test('on a server all hooks render, without a window and without a request', () => {
  expect(typeof window).toBe('undefined')
  const asked = vi.fn<typeof fetch>()
  const complaints = vi.spyOn(console, 'error')
  const html = renderToString(<Everything client={connect({url: '/agent', fetch: asked})} threadId="t" />)
  expect(html).toContain('chat restoring')
  expect(html).toContain('response idle')
  expect(html).toContain('run idle')
  expect(html).toContain('threads loading')
  expect(asked).not.toHaveBeenCalled()
  expect(complaints).not.toHaveBeenCalled()
})
