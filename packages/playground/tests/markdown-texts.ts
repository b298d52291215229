/** Texts that are hard to cut, and ways to make more of them. */

import fc from 'fast-check'

/** Blocks as models write them, and as they should not. */
export const BLOCKS = [
  'A paragraph with *some* **bold** `code` and ~~no~~ text.\nAnd a second line.',
  '# Heading\n',
  'Setext heading\n===\n',
  'Two lines of a\nsetext heading\n---\n',
  '```python\ndef f(x):\n\n    return [x]\n```\n',
  '```\nno end\n\n- not a list\n',
  '~~~~\n```\ninner\n```\n~~~~\n',
  '  ```js\n  let a = 1\n    deeper\n```\n',
  '- one\n- two\n  - nested\n    - deeper\n- three\n',
  '- loose\n\n- list\n\n  with two paragraphs\n',
  '1. first\n2. second\n\n   ```sh\n   ls -l\n   ```\n3. third\n',
  '* other\n+ marker\n',
  '- [ ] open\n- [x] done\n',
  '-\n\n  not in it\n',
  '- a\n 1. b\n10) c\nlazy\n',
  '> quoted\nlazy\n> - list\n>\n> more\n',
  '| a | b |\n| --- | :-: |\n| 1 | 2 |\n| 3 | `x | y` |\n',
  'text\n| a |\n|---|\n| 1 |\nrow without a bar\n',
  '| not | a |\n| table\n',
  '<div>\n<p>html</p>\n\n*text*\n</div>\n',
  '<!-- a comment\n\nthat goes on -->\n',
  '    indented code\n\n    more\n',
  '$$\n\\frac{a}{b}\n$$\n',
  'It costs $5, or $x^2$ and $$y$$.\n',
  '***\n',
  '- - -\n',
  'https://example.com/a_b_c and www.example.com, me@example.com\n',
  '![image](data:image/png;base64,AA==) and ![other](https://example.com/x.png)\n',
  'a hard  \nbreak\\\nhere &amp; &copy; \\*there\\*\n',
  'line ends\r\nof other\r\n\r\nsystems\rtoo\r\n'
]

/** What refers to what may come later, or came before. */
export const REFERENCES = [
  'See [the *docs*][docs], [Docs], [docs][] and ![pic][docs].\n',
  '- item [docs]\n- item\n\n  [docs]: /list\n',
  '| [docs] | b |\n| :- | -: |\n| [docs] | [a] |\n| c |\n',
  '[docs]: https://example.com/docs "title"\n',
  "[docs]: /other\n'a title\nof two lines'\n",
  '> [quote]: /quote\n\n[quote]\n',
  '[a]: /a\n[b]: /b\ntext [a] [b]\n'
]

const separator = fc.constantFrom('', '\n', '\n\n', '\n\n\n', ' ', '\n  ')

const noise = fc
  .array(fc.constantFrom(...'-*_#>|`1.)[]:!$ \t~=<a/b"\'\\\n\n\n'), {maxLength: 40})
  .map(characters => characters.join(''))

function texts(blocks: readonly string[]): fc.Arbitrary<string> {
  const block = fc.oneof({weight: 4, arbitrary: fc.constantFrom(...blocks)}, {weight: 1, arbitrary: noise})
  return fc.array(fc.tuple(block, separator), {minLength: 1, maxLength: 8}).map(parts => parts.flat().join(''))
}

/** Any text, with references or without. */
export const anyText = texts([...BLOCKS, ...REFERENCES])

/** Lengths of the pieces in which a text comes. */
export const pieces = fc.array(fc.integer({min: 1, max: 12}), {minLength: 1, maxLength: 40})

/** The beginnings of `text` that are seen while it comes in pieces of these lengths, used in turn; the last is all of it. */
export function* growing(text: string, lengths: readonly number[]): Generator<string> {
  for (let end = 0, turn = 0; end < text.length; turn++) {
    end = Math.min(text.length, end + (lengths[turn % lengths.length] ?? 1))
    yield text.slice(0, end)
  }
}
