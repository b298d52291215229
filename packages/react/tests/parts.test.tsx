// @vitest-environment jsdom
import {cleanup, fireEvent, render, screen} from '@testing-library/react'
import type {ConnectionState, Message, Part, ToolPart} from '@unspool/client'
import {UnspoolError} from '@unspool/client'
import {afterEach, describe, expect, test, vi} from 'vitest'
import {ConnectionNotice, Reasoning, StreamingErrorBoundary, StreamingMessage, ToolCall} from '../src/index.js'

afterEach(cleanup)

function messageOf(parts: Part[], complete = true): Message {
  return {id: 'm', role: 'assistant', parts, complete}
}

function Fragile({part}: {part: {broken: boolean}}) {
  if (part.broken) throw new Error('no such part')
  return <p>fine</p>
}

function renderParts(...parts: Part[]): HTMLElement {
  return render(<StreamingMessage message={messageOf(parts)} />).container
}

const TOOL: ToolPart = {type: 'tool', call_id: 't', name: 'weather', status: 'calling', args_text: '{"city"'}

describe('StreamingMessage', () => {
  test('is busy until the message is complete', () => {
    const parts: Part[] = [{type: 'text', kind: 'text', text: 'Hello'}]
    const {rerender} = render(<StreamingMessage message={messageOf(parts, false)} />)
    const article = screen.getByRole('article')
    expect([article.getAttribute('aria-busy'), article.dataset.role]).toEqual(['true', 'assistant'])
    rerender(<StreamingMessage message={messageOf(parts)} />)
    expect(article.getAttribute('aria-busy')).toBe('false')
  })

  test('shows what a model says as text, whatever it says', () => {
    const text = '<img src=x onerror="alert(1)"> **a**\n\n<script>1</script>'
    const container = renderParts({type: 'text', kind: 'text', text})
    expect([...container.querySelectorAll('p')].map(p => p.textContent).join('\n\n')).toBe(text)
    expect(container.querySelector('img, script, b')).toBeNull()
  })

  test('needs no style attribute, so that a strict policy may stand', () => {
    const container = renderParts({type: 'text', kind: 'text', text: 'a'}, TOOL)
    expect(container.querySelector('[style]')).toBeNull()
  })

  test('images are shown, other files can be downloaded', () => {
    const container = renderParts(
      {type: 'file', media_type: 'image/png', data: 'AAAA', name: 'sky.png'},
      {type: 'file', media_type: 'text/csv', url: 'https://example.org/a.csv', name: 'a.csv'}
    )
    expect(screen.getByRole('img', {name: 'sky.png'}).getAttribute('src')).toBe('data:image/png;base64,AAAA')
    expect(container.querySelector('a')?.outerHTML).toContain('download="a.csv"')
  })

  test.each(['javascript:alert(1)', ' java\nscript:alert(1)', 'data:text/html,<script>1</script>', 'vbscript:x', ''])(
    'a link to %j leads nowhere',
    url => {
      const container = renderParts(
        {type: 'citation', url, title: 'Source'},
        {type: 'file', media_type: 'text/plain', url, name: 'a.txt'}
      )
      expect(container.querySelector('a')).toBeNull()
      expect(container.textContent).toBe('[1]a.txt')
    }
  )

  test('citations are numbered, and lead to their page', () => {
    const [one, two] = ['https://example.org/1', '/local/2']
    const container = renderParts({type: 'citation', url: one, title: 'One'}, TOOL, {type: 'citation', url: two})
    expect([...container.querySelectorAll('a')].map(a => [a.textContent, a.getAttribute('href')])).toEqual([
      ['[1]', one],
      ['[2]', two]
    ])
  })

  test('every part can be shown in another way', () => {
    const parts: Part[] = [
      {type: 'text', kind: 'reasoning', text: 'hm'},
      TOOL,
      {type: 'text', kind: 'text', text: 'hi'},
      {type: 'file', media_type: 'image/png', data: ''},
      {type: 'citation', url: 'https://example.org'}
    ]
    render(
      <StreamingMessage
        message={messageOf(parts, false)}
        renderReasoning={({text}, complete) => <i>{`thought ${text} ${complete};`}</i>}
        renderTool={({name, status}) => <i>{`tool ${name} ${status};`}</i>}
        renderText={({text}, complete) => <i>{`text ${text} ${complete};`}</i>}
        renderFile={({media_type}) => <i>{`file ${media_type};`}</i>}
        renderCitation={({url}, number) => <i>{`cites ${number} ${url};`}</i>}
      />
    )
    expect(screen.getByRole('article').textContent).toBe(
      'thought hm true;tool weather calling;text hi true;file image/png;cites 1 https://example.org;'
    )
  })

  test('a part of a kind that came later is skipped', () => {
    expect(renderParts({type: 'hologram'} as unknown as Part).textContent).toBe('')
  })
})

test('a tool call shows its arguments as they come, then its result or its error', () => {
  const {container, rerender} = render(<ToolCall part={TOOL} />)
  expect(container.textContent).toBe('weather: called{"city"')
  expect(container.firstElementChild?.getAttribute('aria-busy')).toBe('true')
  const args = {city: 'Utrecht'}
  rerender(<ToolCall part={{...TOOL, status: 'done', args, result: {celsius: 18}}} />)
  expect(container.textContent).toContain('"city": "Utrecht"')
  expect(container.querySelector('.unspool-tool-result')?.textContent).toBe(JSON.stringify({celsius: 18}, null, 2))
  expect(container.firstElementChild?.getAttribute('aria-busy')).toBe('false')
  rerender(<ToolCall part={{...TOOL, status: 'failed', args, error: 'No such city.'}} label="The weather" />)
  expect(container.querySelector('summary')?.textContent).toBe('The weather')
  expect(container.querySelector('.unspool-tool-error')?.textContent).toBe('No such city.')
})

test('reasoning is folded away', () => {
  const {container} = render(<Reasoning text="Let me think." label="Thoughts" />)
  expect(container.querySelector('details')?.open).toBe(false)
  expect(container.querySelector('summary')?.textContent).toBe('Thoughts')
  expect(container.querySelector('p')?.textContent).toBe('Let me think.')
})

describe('ConnectionNotice', () => {
  const open: ConnectionState = {state: 'open', transport: 'sse', buffered: false}
  const error = new UnspoolError('network', 'The server cannot be reached.')

  test.each<[string, ConnectionState | undefined, string]>([
    ['nothing while all is well', open, ''],
    ['nothing before there is a connection', undefined, ''],
    ['nothing about the first connection', {...open, state: 'connecting'}, ''],
    ['that it connects again', {...open, state: 'connecting', error}, 'Reconnecting…'],
    ['that the connection is lost', {...open, state: 'waiting', retryAt: 0, error}, 'Connection lost. Reconnecting…'],
    ['that there is no network', {...open, state: 'offline'}, 'No network. The answer goes on once it is back.'],
    ['why it was given up', {...open, state: 'closed', error}, 'The server cannot be reached.'],
    ['nothing after a good end', {...open, state: 'closed'}, '']
  ])('says %s', (_, connection, text) => {
    render(<ConnectionNotice connection={connection} />)
    expect(screen.getByRole('status').textContent).toBe(text)
  })

  test('tells of a proxy that buffers', () => {
    render(<ConnectionNotice connection={{...open, buffered: true}} />)
    expect(screen.getByRole('status').textContent).toContain('holds the answer back')
  })

  test('can say it in other words', () => {
    render(<ConnectionNotice connection={{...open, state: 'offline'}} say={({state}) => `jetzt: ${state}`} />)
    expect(screen.getByRole('status').textContent).toBe('jetzt: offline')
  })
})

describe('StreamingErrorBoundary', () => {
  test('shows the fallback in place of what cannot be rendered, and tries again on reset', () => {
    vi.spyOn(console, 'error').mockImplementation(() => {})
    const part = {broken: true}
    const reported: string[] = []
    const onReset = vi.fn(() => {
      part.broken = false
    })
    render(
      <StreamingErrorBoundary
        onReset={onReset}
        onError={({message}) => reported.push(message)}
        fallback={({error, reset}) => (
          <button type="button" onClick={reset}>
            {error.message}
          </button>
        )}
      >
        <Fragile part={part} />
      </StreamingErrorBoundary>
    )
    fireEvent.click(screen.getByRole('button', {name: 'no such part'}))
    expect(screen.getByText('fine')).toBeTruthy()
    expect(onReset).toHaveBeenCalledTimes(1)
    expect(reported).toEqual(['no such part'])
  })
})
