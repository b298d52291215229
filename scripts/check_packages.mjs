/** Checks the packages as their users get them: what is packed, how types resolve, and how big they are. */

import {execFileSync} from 'node:child_process'
import {mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {gzipSync} from 'node:zlib'
import {build} from 'esbuild'

const PACKAGES = ['client', 'react', 'express']

/**
 * Minified and gzipped, in bytes: what a page loads for it at once. What is imported when it is used (the other
 * transports, JSON Patch) is not in it, nor what `without` names.
 */
const SIZES = [
  {code: "export {connect, UnspoolError} from '@unspool/client'", without: [], limit: 10_800},
  {
    code: "export {createChat} from '@unspool/client/chat'",
    without: ['./errors.js', './ids.js', './input.js', './transcript.js'],
    limit: 2500
  },
  {code: "export {unspoolTransport} from '@unspool/client/ai-sdk'", without: [], limit: 4000}
]

let failed = false

for (const {code, without, limit} of SIZES) {
  const {outputFiles} = await build({
    stdin: {contents: code, resolveDir: process.cwd()},
    plugins: [{name: 'later', setup: ({onResolve}) => onResolve({filter: /.*/}, ({kind, path}) => (kind === 'dynamic-import' || without.includes(path) ? {path, external: true} : undefined))}],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022'
  })
  const size = gzipSync(outputFiles[0].contents, {level: 9}).length
  const over = size > limit
  failed ||= over
  console.log(`  ${code}: ${size} of ${limit} bytes${over ? ', TOO BIG' : ''}`)
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
