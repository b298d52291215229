// @vitest-environment jsdom
import {act, cleanup, fireEvent, render, screen, waitFor} from '@testing-library/react'
import {afterEach, describe, expect, test, vi} from 'vitest'
import {Markdown} from '../src/markdown/index.js'

afterEach(cleanup)

/** Show the texts one after another, as they would stream in; the last one is complete. */
function stream(...texts: string[]) {
  const view = render(<Markdown text={texts[0] ?? ''} complete={texts.length === 1} />)
  for (const [index, text] of texts.entries()) {
    if (index > 0) view.rerender(<Markdown text={text} complete={index === texts.length - 1} />)
  }
  return view.container
}

/** Show the beginning of an answer. */
function begin(text: string) {
  const {container, rerender} = render(<Markdown text={text} complete={false} />)
  return {container, goOn: (more: string) => rerender(<Markdown text={more} complete={false} />)}
}

describe('what streams in', () => {
  test('a block that is settled keeps its element while others grow', () => {
    const {container, goOn} = begin('# Title\n\nFirst paragraph.\n\nSecond')
    const [title, first] = container.querySelectorAll('h1, p')
    goOn('# Title\n\nFirst paragraph.\n\nSecond one, and\n\n- a list\n- of it')
    expect(container.querySelector('h1')).toBe(title)
    expect(container.querySelector('p')).toBe(first)
    expect(container.querySelectorAll('li')).toHaveLength(2)
  })

  test('a table grows row by row, in one element', () => {
    const {container, goOn} = begin('| a | b |\n| --- | --- |\n| 1 | 2 |\n')
    const table = container.querySelector('table')
    goOn('| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |\n')
    expect(container.querySelector('table')).toBe(table)
    expect([...container.querySelectorAll('td')].map(cell => cell.textContent)).toEqual(['1', '2', '3', '4'])
  })

  test('code shows while its fence is open, without the beginning of the end', () => {
    const {container, goOn} = begin('```text\none\n')
    expect(container.querySelector('code')?.textContent).toBe('one')
    goOn('```text\none\ntwo\n``')
    expect(container.querySelector('code')?.textContent).toBe('one\ntwo')
    goOn('```text\none\ntwo\n```\nAfter')
    expect(container.querySelector('code')?.textContent).toBe('one\ntwo')
    expect(container.querySelector('p')?.textContent).toBe('After')
  })

  test('code whose fence has no end is code to the end', () => {
    expect(stream('```\none\n', '```\none\n\n- two').querySelector('code')?.textContent).toBe('one\n\n- two')
  })

  test('a list is loose from the moment a blank line makes it so', () => {
    const {container, goOn} = begin('- one\n- two\n- th')
    expect(container.querySelectorAll('li > p')).toHaveLength(0)
    goOn('- one\n- two\n- three\n\n- four\n')
    expect([...container.querySelectorAll('li > p')].map(p => p.textContent)).toEqual(['one', 'two', 'three', 'four'])
  })

  test('a list keeps its first number', () => {
    expect(stream('3. three\n', '3. three\n4. four\n', '3. three\n4. four\n').querySelector('ol')?.start).toBe(3)
  })

  test('a definition makes links of references that were settled before it', () => {
    const text = 'See [the docs][d].\n\n- and [d]\n- more\n\nOther text.\n\n'
    const {container, goOn} = begin(text)
    expect(container.querySelectorAll('a')).toHaveLength(0)
    goOn(`${text}[d]: https://example.com/docs\n\nThe end.\n`)
    expect([...container.querySelectorAll('a')].map(link => [link.textContent, link.href])).toEqual([
      ['the docs', 'https://example.com/docs'],
      ['d', 'https://example.com/docs']
    ])
  })

  test('a text that is not a continuation replaces what was there', () => {
    expect(stream('# One\n\ntwo', 'Three').textContent).toBe('Three')
  })

  test('footnotes are numbered through the text, and lead there and back', () => {
    const text = 'One[^a].\n\nTwo[^b].\n\n[^b]: second\n\n[^a]: first\n'
    const container = stream(text.slice(0, 20), text)
    expect([...container.querySelectorAll('.footnotes li')].map(note => note.textContent?.trim())).toEqual([
      'first ↩',
      'second ↩'
    ])
    const link = container.querySelector<HTMLAnchorElement>('sup a')
    const note = document.getElementById(link?.hash.slice(1) ?? '')
    expect(note?.textContent).toContain('first')
    if (note) note.scrollIntoView = vi.fn()
    const address = location.href
    if (link) fireEvent.click(link)
    expect(location.href).toBe(address)
    expect(document.activeElement).toBe(note?.querySelector('a'))
  })
})

describe('what nobody has checked', () => {
  test.each(['javascript:alert(1)', 'data:text/html,x', 'vbscript:x', 'JAVASCRIPT:x', 'file:///etc/passwd'])(
    'a link to %s leads nowhere',
    address => {
      const container = stream(`[click](<${address}>)`)
      expect(container.textContent).toBe('click')
      expect(container.querySelector('a')).toBeNull()
    }
  )

  test('a link opens beside the app and says nothing of it', () => {
    stream('[click](https://example.com/)')
    const link = screen.getByRole('link', {name: 'click'})
    expect([link.getAttribute('rel'), link.getAttribute('target')]).toEqual(['noopener noreferrer', '_blank'])
  })

  test('HTML is text, but for line breaks', () => {
    const container = stream('<img src=x onerror=alert(1)>\n\n<script>alert(1)</script>\n\na<br>b <b onclick=x>c</b>')
    expect(container.querySelectorAll('img, script, b')).toHaveLength(0)
    expect(container.querySelectorAll('br')).toHaveLength(1)
    expect(container.textContent).toContain('<script>alert(1)</script>')
  })

  test('an image of another host is a link, and one of this page is shown', () => {
    const container = stream(
      '![far](https://example.com/x.png) ![odd](//example.com/x.png) ![near](/x.png) ![here](data:image/png;base64,AA==)'
    )
    expect([...container.querySelectorAll('img')].map(image => image.alt)).toEqual(['near', 'here'])
    expect(screen.getByRole('link', {name: 'far'}).getAttribute('href')).toBe('https://example.com/x.png')
    expect(container.querySelectorAll('[src*="example.com"]')).toHaveLength(0)
  })
})

describe('code', () => {
  test('is copied as it is in the text', async () => {
    const writeText = vi.fn(() => Promise.resolve())
    vi.stubGlobal('navigator', {...navigator, clipboard: {writeText}})
    stream('```python\na = 1\n\nb = "<2>"\n```\n')
    await act(async () => screen.getByRole('button', {name: 'Copy code'}).click())
    expect(writeText).toHaveBeenCalledWith('a = 1\n\nb = "<2>"')
    expect(screen.getByRole('button', {name: 'Copied'})).toBeTruthy()
    vi.unstubAllGlobals()
  })

  test('is coloured, and reads the same', async () => {
    const code = `${'let a = `x\ny`\n// more\n'.repeat(30)}end`
    const container = stream(`\`\`\`js\n${code}\n\`\`\`\n`)
    await waitFor(() => expect(container.querySelectorAll('.hljs-keyword')).toHaveLength(30), {timeout: 10_000})
    expect(container.querySelector('code')?.textContent).toBe(code)
  })

  test('of an unknown language stays plain', () => {
    const container = stream('```nosuch\nlet a\n```\n')
    expect(container.querySelector('code')?.innerHTML).toBe('<span class="md-lines">let a</span>')
  })
})

describe('math', () => {
  test('becomes MathML, without styles', async () => {
    const container = stream('Let $\\color{red}x^2$ be\n\n$$\n\\frac{a}{b} \\fbox{c}\n$$\n')
    await waitFor(() => expect(container.querySelectorAll('math')).toHaveLength(2), {timeout: 10_000})
    expect(container.querySelector('math[display=block] mfrac')?.textContent).toBe('ab')
    expect(container.querySelectorAll('[style]')).toHaveLength(0)
  })

  test('that is wrong shows its source', async () => {
    const container = stream('$\\frac{a$ and $y$')
    await waitFor(() => expect(container.querySelector('math')).not.toBeNull(), {timeout: 10_000})
    expect(container.querySelector('code')?.textContent).toBe('\\frac{a')
  })

  test('is not money', async () => {
    const container = stream('It costs $5 and $10, or $20-$30; $z$ is math')
    await waitFor(() => expect(container.querySelector('math')).not.toBeNull(), {timeout: 10_000})
    expect(container.querySelectorAll('math')).toHaveLength(1)
    expect(container.textContent).toContain('It costs $5 and $10, or $20-$30;')
  })

  test('cannot link or load anything', async () => {
    const container = stream('$\\href{javascript:alert(1)}{x} \\includegraphics{https://example.com/x.png} y$ $z$')
    await waitFor(() => expect(container.querySelector('math')).not.toBeNull(), {timeout: 10_000})
    expect(container.querySelectorAll('[href], [src], img')).toHaveLength(0)
  })
})
