/** `node benchmarks/rendering/run.mjs [--quick] [--repeats N] [--only a,b] [--out FILE]`: how a growing message renders. */

import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {availableParallelism, loadavg, tmpdir} from 'node:os'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {parseArgs} from 'node:util'
import {chromium} from 'playwright-core'
import {build} from 'vite'
import {measure} from './measure.mjs'
import {serve} from './serve.mjs'

const {values: options} = parseArgs({
  options: {
    quick: {type: 'boolean', default: false},
    repeats: {type: 'string', default: '3'},
    characters: {type: 'string', default: '20000'},
    rate: {type: 'string', default: '2000'},
    throttle: {type: 'string', default: '1'},
    only: {type: 'string', default: 'ours,naive,floor,paragraphs'},
    out: {type: 'string', default: 'benchmarks/results/rendering.json'}
  }
})
const size = {
  history: options.quick ? 9 : 199,
  warmUp: options.quick ? 500 : 5000,
  characters: options.quick ? 2000 : Number(options.characters),
  rate: Number(options.rate),
  throttle: Number(options.throttle),
  repeats: options.quick ? 1 : Number(options.repeats)
}

function median(numbers) {
  const sorted = [...numbers].sort((one, other) => one - other)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

function medians(runs) {
  return Object.fromEntries(Object.keys(runs[0]).map(name => [name, median(runs.map(run => run[name]))]))
}

/** One line of the table: a number, and what it has to reach. */
function row(what, value, bar, atLeast = false) {
  return {what, value, bar, atLeast, met: atLeast ? value >= bar : value <= bar}
}

function table({ours, naive, floor}) {
  const rows = [
    row('commits per frame', ours.commitsPerFrame, 1),
    row('frames per second', ours.fps, 59, true),
    row('frames dropped, % (bar: noise)', ours.droppedPercent, 2),
    row('longest task after the first second, ms', ours.longestTaskMs, 50),
    row('cost per token, end / start', ours.endToStart, 1.5)
  ]
  if (floor) rows.splice(4, 0, row('main thread, ours / plain text', ours.busyPercent / floor.busyPercent, 1.3))
  if (naive) rows.push(row('frames per second, ours / naive', ours.fps / naive.fps, 1, true))
  return rows
}

const folder = mkdtempSync(join(tmpdir(), 'unspool-rendering-'))
try {
  await build({configFile: fileURLToPath(new URL('vite.config.ts', import.meta.url)), build: {outDir: folder}})
  const server = await serve(folder)
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox']
  })
  const runs = Object.fromEntries(options.only.split(',').map(name => [name, []]))
  try {
    // In turn, so that what else the machine does meets all of them alike.
    for (let repeat = 0; repeat < size.repeats; repeat++) {
      for (const [variant, done] of Object.entries(runs)) {
        const seen = await measure(browser, server.url, variant, size)
        done.push(seen)
        const shown = Object.entries(seen).map(([name, value]) => `${name} ${Number(value.toFixed(2))}`)
        console.log(`  ${variant.padEnd(10)} ${shown.join('  ')}`)
      }
    }
  } finally {
    await browser.close()
    server.close()
  }
  const results = Object.fromEntries(Object.entries(runs).map(([variant, done]) => [variant, medians(done)]))
  const rows = results.ours ? table(results) : []
  console.log(`\n${'ratio'.padEnd(48)} ${'value'.padStart(8)} ${'bar'.padStart(7)}`)
  for (const {what, value, bar, atLeast, met} of rows) {
    const sign = `${atLeast ? '≥' : '≤'}${bar}`
    console.log(`${what.padEnd(48)} ${value.toFixed(2).padStart(8)} ${sign.padStart(7)}  ${met ? 'met' : 'NOT MET'}`)
  }
  const load = loadavg()[0]
  if (load > availableParallelism()) {
    console.log(`\nThe machine is busy (load ${load.toFixed(1)}): frames and long tasks say more about that than about the page.`)
  }
  mkdirSync(dirname(options.out), {recursive: true})
  writeFileSync(options.out, `${JSON.stringify({size, load, results, runs, ratios: rows}, null, 2)}\n`)
  console.log(`\nWritten to ${options.out}`)
} finally {
  rmSync(folder, {recursive: true, force: true})
}
