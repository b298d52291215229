import {mkdtempSync} from 'node:fs'
import {chromium} from 'playwright-core'
import {build} from 'vite'
import {serve} from './serve.mjs'
import {fileURLToPath} from 'node:url'
const variant = process.argv[2] ?? 'ours'
const folder = mkdtempSync('/tmp/mdprof/b-')
await build({configFile: fileURLToPath(new URL('vite.config.ts', import.meta.url)), build: {outDir: folder, minify: false}})
const server = await serve(folder)
const browser = await chromium.launch({executablePath: '/usr/bin/chromium', args: ['--no-sandbox']})
for (const css of (process.env.CSS ?? '').split('@@')) {
const page = await browser.newPage({viewport: {width: 1000, height: 800}, bypassCSP: true})
await page.addInitScript(css => addEventListener('DOMContentLoaded', () => {const s = document.createElement('style'); s.textContent = css; document.head.append(s)}), css)
await page.goto(`${server.url}?variant=${variant}`)
await page.waitForFunction(() => document.querySelectorAll('article').length >= 199)
await page.evaluate(() => globalThis.run(5000))
await browser.startTracing(page, {categories: ['devtools.timeline', 'disabled-by-default-devtools.timeline', 'toplevel', 'cc','blink']})
const r = await page.evaluate(() => globalThis.run(20000))
const {traceEvents: ev} = JSON.parse((await browser.stopTracing()).toString())
const main = ev.find(e => e.name === 'thread_name' && e.args.name === 'CrRendererMain' && ev.some(x => x.pid === e.pid && x.tid === e.tid && x.name === 'FunctionCall'))
const m = new Map()
// self thread-time by nesting
const mine = ev.filter(e => main && e.pid === main.pid && e.tid === main.tid && e.ph === 'X' && e.tdur !== undefined).sort((a, b) => a.ts - b.ts || b.dur - a.dur)
const stack = []
for (const e of mine) { while (stack.length && stack.at(-1).ts + stack.at(-1).dur <= e.ts) stack.pop(); if (stack.length) stack.at(-1).child = (stack.at(-1).child ?? 0) + e.tdur; stack.push(e) }
for (const e of mine) { const s = m.get(e.name) ?? {n: 0, t: 0, s: 0}; s.n++; s.t += e.tdur / 1000; s.s += (e.tdur - (e.child ?? 0)) / 1000; m.set(e.name, s) }
console.log('==', variant, css, 'commits', r.commits, 'frames', r.frames.length)
const tasks = mine.filter(e => e.name === 'RunTask' || e.name === 'ThreadControllerImpl::RunTask').map(e => [e.tdur / 1000, e.dur / 1000]).sort((a, b) => b[0] - a[0]); console.log('longest tasks cpu/wall', JSON.stringify(tasks.slice(0, 8)))
console.log('total self', [...m.values()].reduce((a, b) => a + b.s, 0).toFixed(0), 'per frame', ([...m.values()].reduce((a, b) => a + b.s, 0)/r.frames.length).toFixed(2))
console.log([...m].sort((a, b) => b[1].s - a[1].s).slice(0, 16).map(([k, v]) => `${v.s.toFixed(0).padStart(6)} ${(v.s/r.frames.length).toFixed(2)}/f n=${v.n} ${k}`).join('\n'))
await page.close()
}
await browser.close(); server.close()
