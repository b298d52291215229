/** The code in `docs/express.md` and in the README is checked by the compiler. */

import {execFileSync} from 'node:child_process'
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {expect, test} from 'vitest'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const PACKAGE = join(ROOT, 'packages/express')

test.each(['docs/express.md', 'packages/express/README.md'])('the code in %s compiles', path => {
  const blocks = Array.from(readFileSync(join(ROOT, path), 'utf8').matchAll(/```ts\n(.*?)```/gs), found => found[1])
  expect(blocks.length).toBeGreaterThan(0)
  // Inside the package, so that what it depends on is found.
  const place = mkdtempSync(join(PACKAGE, 'tests/.docs-'))
  try {
    for (const [index, block] of blocks.entries())
      writeFileSync(join(place, `block-${index + 1}.ts`), `${block}export {}\n`)
    const config = {extends: join(ROOT, 'tsconfig.json'), compilerOptions: {types: ['node']}, include: ['*.ts']}
    writeFileSync(join(place, 'tsconfig.json'), JSON.stringify(config))
    const tsc = join(dirname(fileURLToPath(import.meta.resolve('typescript/package.json'))), 'bin/tsc')
    expect(() => execFileSync(process.execPath, [tsc, '-p', place], {encoding: 'utf8'})).not.toThrow()
  } finally {
    rmSync(place, {recursive: true, force: true})
  }
})
