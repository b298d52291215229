import fc from 'fast-check'
import {renderToStaticMarkup} from 'react-dom/server'
import {expect, test} from 'vitest'
import {BlockView} from '../src/markdown/blocks.js'
import {type Block, MarkdownDocument} from '../src/markdown/document.js'
import {elements, htmlTree} from '../src/markdown/elements.js'
import {grammar} from '../src/markdown/math.js'
import {parse} from '../src/markdown/parse.js'
import {anyText, BLOCKS, growing, pieces} from './markdown-texts.js'

/** How many texts are tried: `MARKDOWN_RUNS=10000` for a long look. */
const runs = Number(process.env.MARKDOWN_RUNS ?? 100)
const patience = {timeout: 20_000 + runs * 200}

function html(blocks: readonly Block[]): string {
  return renderToStaticMarkup(blocks.map(block => <BlockView key={block.key} block={block} prefix="p-" />))
}

function atOnce(text: string): string {
  return html(new MarkdownDocument().update(text, true, grammar))
}

function streamed(text: string, lengths: readonly number[]): string {
  const document = new MarkdownDocument()
  for (const beginning of growing(text, lengths)) document.update(beginning, false, grammar)
  return html(document.update(text, true, grammar))
}

test('a text that comes in pieces ends as the same text at once', patience, () => {
  fc.assert(
    fc.property(anyText, pieces, (text, lengths) => {
      expect(streamed(text, lengths)).toBe(atOnce(text))
    }),
    {numRuns: runs}
  )
})

test.each([
  'text\n| a |\n|--x\n',
  '| a |\n|-|\n| 1 |\n| 2\n- x\n',
  'a\n-\n- b\n',
  '- a\n- b\n\n--\n',
  '--\n>-\nA\n',
  '    code\n-\n\n  x\n',
  '    code\n-\n-',
  '[docs]: /first\n\n- [docs]\n\n  [docs]: /second\n\n  [docs]\n',
  '-    indented code\n\n    more\n    indented code\n\n    more\n',
  "[docs]: /x\n'title\nmore'\n\n[docs]\n",
  '[docs]\n\n> [docs]: /x\n\n- [docs]\n- b\n\n| [docs] |\n|-|\n| [docs] |\n',
  '| [docs] |\n|-|\n| [docs] |\n| b |\n\n[docs]: /x\n\nend\n',
  '- [docs]\n- b\n\n[docs]: /x\n\nend\n',
  '```\na\n``\n```\nb\n',
  '~~~ a`b\ncode\n~~~~ \n\n~~~\n',
  '1. a\n\n   ```\n   code\n\n2. b\n',
  '| a |\n|-|\n| 1 |\r\nb\r\n\r\nc\rd\r\n'
])('each cut of %j ends the same', text => {
  expect(streamed(text, [1])).toBe(atOnce(text))
  expect(streamed(text, [2, 1])).toBe(atOnce(text))
})

test('the blocks of a text are what its one syntax tree is', patience, () => {
  fc.assert(
    fc.property(anyText, text => {
      const children = parse(text, 0, text.length, [], grammar)
      const whole = renderToStaticMarkup(elements(htmlTree({type: 'root', children}, 'p-')))
      expect(withoutSpace(atOnce(text))).toBe(withoutSpace(whole))
    }),
    {numRuns: runs}
  )
})

test('what is settled stays the same object, so that it is neither read nor rendered again', () => {
  const text = `${BLOCKS.filter(block => !block.includes('no end')).join('\n\n')}\n\nThe end.`
  const document = new MarkdownDocument()
  let kept = 0
  let before: readonly Block[] = []
  for (const beginning of growing(text, [7])) {
    const blocks = document.update(beginning, false, grammar)
    const same = before.filter((block, index) => blocks[index] === block).length
    expect(same).toBeGreaterThanOrEqual(before.length - 3)
    kept = Math.max(kept, same)
    before = blocks
  }
  expect(kept).toBeGreaterThan(20)
})

test('of a long list, only the last item is read again', () => {
  const document = new MarkdownDocument()
  const lines = Array.from({length: 50}, (_, index) => `${index + 1}. item *${index}*\n`)
  let items: readonly unknown[] = []
  for (const end of lines.keys()) {
    const [list] = document.update(lines.slice(0, end + 1).join(''), false)
    const found = list?.kind === 'list' ? list.items : []
    expect(found).toHaveLength(end + 1)
    expect(found.filter((item, index) => item === items[index])).toHaveLength(Math.max(0, end - 1))
    items = found
  }
})

test('of a long table, only the last row is read again', () => {
  const document = new MarkdownDocument()
  const lines = Array.from({length: 50}, (_, index) => `| row | *${index}* |\n`)
  let rows: readonly unknown[] = []
  for (const end of lines.keys()) {
    const [table] = document.update(`| a | b |\n| - | - |\n${lines.slice(0, end + 1).join('')}`, false)
    const found = table?.kind === 'table' ? table.rows : []
    expect(found).toHaveLength(end + 1)
    expect(found.filter((row, index) => row === rows[index])).toHaveLength(end)
    rows = found
  }
})

/** Without the line ends between elements, which nobody sees. */
function withoutSpace(markup: string): string {
  return markup.replace(/>\s+</g, '><').trim()
}
