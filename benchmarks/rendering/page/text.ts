/** What the agent says: markdown as models write it, the same mix from beginning to end. */

const SECTION = [
  '## Step {n}: move the {noun}\n\n',
  'The **{noun}** is read once and kept in memory, so that *later* reads cost nothing. Call `load_{n}()` before the first ',
  'request; see [the notes](https://example.com/notes/{n}) for what happens when the file is missing.\n\n',
  '- Check that the {noun} exists, and that it can be read.\n- Keep the old one until the new one is complete.\n',
  '- Report `{noun}_error` with the line that was wrong.\n  - The line number counts from 1.\n\n',
  '```python\ndef load_{n}(path: str) -> dict[str, int]:\n    """Read the {noun}."""\n    found: dict[str, int] = {}\n',
  '    for number, line in enumerate(open(path), start=1):\n        name, _, value = line.partition("=")\n',
  '        found[name.strip()] = int(value) + number\n    return found\n```\n\n',
  '| case | before | after |\n| --- | ---: | ---: |\n| empty | {n} | 0 |\n| one line | 12 | 4 |\n| many lines | 310 | 41 |\n\n',
  'That makes {n} of them. The rest works the same way, apart from the order, which does not matter here.\n\n'
].join('')

const NOUNS = ['settings', 'index', 'table of names', 'cache', 'manifest']

/** `length` characters of markdown. */
export function markdownOf(length: number): string {
  let text = ''
  for (let n = 1; text.length < length; n++) {
    text += SECTION.replaceAll('{n}', String(n)).replaceAll('{noun}', NOUNS[n % NOUNS.length] ?? '')
  }
  return text.slice(0, length)
}

/** Pieces of one to six characters: 3.3 on average, the same each time. */
export function tokensOf(text: string): string[] {
  const sizes = [3, 4, 1, 5, 2, 4, 3, 6, 2, 3]
  const tokens: string[] = []
  for (let at = 0; at < text.length; ) {
    const size = sizes[tokens.length % sizes.length] ?? 3
    tokens.push(text.slice(at, at + size))
    at += size
  }
  return tokens
}
