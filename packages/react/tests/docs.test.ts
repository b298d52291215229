import {execFileSync} from 'node:child_process'
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterAll, expect, test} from 'vitest'

const ROOT = join(import.meta.dirname, '../../..')
const PAGES = [
  'README.md',
  'docs/react.md',
  'docs/nextjs.md',
  'docs/javascript.md',
  'docs/protocols/ai-sdk.md',
  'docs/protocols/ag-ui.md',
  'docs/protocols/shapes.md',
  'packages/client/README.md',
  'packages/react/README.md'
]

/** Within the packages, so that what a block imports is found. */
const directory = mkdtempSync(join(import.meta.dirname, '.docs-'))
afterAll(() => rmSync(directory, {recursive: true, force: true}))

test('every block of code in the documentation has types that fit', () => {
  const found = PAGES.flatMap(page => writeBlocks(page))
  expect(found.length).toBeGreaterThan(15)
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({...CONFIG, files: found}))
  expect(complaints()).toBe('')
}, 60_000)

const CONFIG = {
  extends: '../../../../tsconfig.json',
  compilerOptions: {allowJs: true, checkJs: true, noImplicitAny: false, noUnusedLocals: false},
  include: []
}

function writeBlocks(page: string): string[] {
  const text = readFileSync(join(ROOT, page), 'utf8')
  const blocks = [...text.matchAll(/^```(tsx|ts|js)\n(.*?)^```/gms)]
  return blocks.map(([, language, code], index) => {
    const file = join(directory, `${page.replace(/\W/g, '-')}-${index + 1}.${language}`)
    writeFileSync(file, `${code}\nexport {}\n`)
    return file
  })
}

function complaints(): string {
  try {
    execFileSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', directory], {encoding: 'utf8'})
    return ''
  } catch (error) {
    return String((error as {stdout?: unknown}).stdout)
  }
}
