/** Checks the packages as their users get them: what is packed, how types resolve, and how big they are. */

import {execFileSync} from 'node:child_process'
import {mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {gzipSync} from 'node:zlib'
import {build} from 'esbuild'

const PACKAGES = ['client', 'react', 'express']

/** Minified and gzipped, with all exports, and without what `external` names. In bytes. */
const SIZES = [
  {name: '@unspool/client', entry: 'packages/client/dist/index.js', external: [], limit: 8 * 1024},
  {
    name: '@unspool/client/chat, beyond it',
    entry: 'packages/client/dist/chat.js',
    external: ['./errors.js', './ids.js', './input.js', './transcript.js'],
    limit: 3 * 1024
  },
  {name: '@unspool/react, beyond the client', entry: 'packages/react/dist/index.js', external: ['react', '@unspool/client', '@unspool/client/*'], limit: 5 * 1024}
]

let failed = false

for (const {name, entry, external, limit} of SIZES) {
  const {outputFiles} = await build({
    entryPoints: [entry],
    external,
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic'
  })
  const size = gzipSync(outputFiles[0].contents, {level: 9}).length
  const over = size > limit
  failed ||= over
  console.log(`  ${name}: ${size} of ${limit} bytes${over ? ', TOO BIG' : ''}`)
}

const place = mkdtempSync(join(tmpdir(), 'unspool-pack-'))
try {
  for (const name of PACKAGES) {
    const packed = JSON.parse(
      execFileSync('npm', ['pack', '--json', '--pack-destination', place, '-w', `@unspool/${name}`], {encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore']})
    )
    const [{filename}] = Array.isArray(packed) ? packed : Object.values(packed)
    const file = join(place, filename)
    run('publint', [file, '--strict'])
    run('attw', [file, '--profile', 'esm-only', '--format', 'ascii'])
  }
} finally {
  rmSync(place, {recursive: true})
}
process.exitCode = failed ? 1 : 0

function run(tool, args) {
  try {
    execFileSync('npx', ['--no-install', tool, ...args], {encoding: 'utf8', stdio: 'pipe'})
  } catch (error) {
    console.log(error.stdout + error.stderr)
    failed = true
  }
}
