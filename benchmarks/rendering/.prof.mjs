import {mkdtempSync, writeFileSync} from 'node:fs'
import {chromium} from 'playwright-core'
import {build} from 'vite'
import {serve} from './serve.mjs'
import {fileURLToPath} from 'node:url'
const variant = process.argv[2] ?? 'ours', cpu = Number(process.argv[3] ?? 1)
const folder = mkdtempSync('/tmp/mdprof/b-')
await build({configFile: fileURLToPath(new URL('vite.config.ts', import.meta.url)), build: {outDir: folder, minify: false}})
const server = await serve(folder)
const browser = await chromium.launch({executablePath: '/usr/bin/chromium', args: ['--no-sandbox']})
const page = await browser.newPage({viewport: {width: 1000, height: 800}, bypassCSP: true})
await page.addInitScript(css => addEventListener('DOMContentLoaded', () => {const s = document.createElement('style'); s.textContent = css; document.head.append(s)}), process.env.CSS ?? '')
const cdp = await page.context().newCDPSession(page)
await page.goto(`${server.url}?variant=${variant}`)
await page.waitForFunction(() => document.querySelectorAll('article').length >= 199)
await page.evaluate(() => globalThis.run(5000))
await cdp.send('Profiler.enable'); await cdp.send('Profiler.setSamplingInterval', {interval: 200})
await cdp.send('Performance.enable', {timeDomain: process.env.TD ?? 'threadTicks'})
const M = async () => Object.fromEntries((await cdp.send('Performance.getMetrics')).metrics.map(m => [m.name, m.value]))
const a = await M()
await cdp.send('Profiler.start')
const r = await page.evaluate(() => globalThis.run(20000))
const {profile} = await cdp.send('Profiler.stop')
const b = await M()
for (const k of ['TaskDuration','ScriptDuration','LayoutDuration','RecalcStyleDuration','LayoutCount','RecalcStyleCount','Timestamp','Nodes']) console.log(k, (b[k]-a[k]).toFixed(3))
console.log('commits', r.commits, 'frames', r.frames.length, 'long', JSON.stringify(r.longTasks), 'dur', r.ended-r.began)
const self = new Map(), total = new Map(), byId = new Map(profile.nodes.map(n => [n.id, n]))
const parent = new Map(); for (const n of profile.nodes) for (const c of n.children ?? []) parent.set(c, n.id)
profile.samples.forEach((id, i) => {
  const dt = profile.timeDeltas[i] / 1000
  const n = byId.get(id); const key = n.callFrame.functionName + ':' + n.callFrame.lineNumber
  self.set(key, (self.get(key) ?? 0) + dt)
  const seen = new Set()
  for (let x = id; x !== undefined; x = parent.get(x)) { const f = byId.get(x).callFrame; const k = f.functionName + ':' + f.lineNumber; if (!seen.has(k)) { seen.add(k); total.set(k, (total.get(k) ?? 0) + dt) } }
})
console.log('----');const top = (m, n) => [...m].sort((x, y) => y[1] - x[1]).slice(0, n).map(([k, v]) => v.toFixed(0).padStart(6) + ' ' + k).join('\n')
if (process.env.V) console.log('SELF\n' + top(self, 30)); console.log('TOTAL\n' + top(total, 70))
await browser.close(); server.close()
