/** One page, one message: what the page saw, and what the browser says its main thread did. */

const FRAME_MS = 1000 / 60
const SAMPLE_MS = 100
/** Longer than any run takes, also one that cannot keep up. */
const PATIENCE_MS = 120_000

/**
 * Opens the page, shows the messages before, streams one message to warm up and then the measured one.
 * Percentages are of wall time; `busyPercent` counts all tasks of the page's main thread, with layout and paint.
 */
export async function measure(browser, url, variant, size) {
  const page = await browser.newPage({viewport: {width: 1000, height: 800}})
  const wrong = []
  page.on('pageerror', error => wrong.push(String(error)))
  page.on('console', message => message.type() === 'error' && wrong.push(message.text()))
  const cdp = await page.context().newCDPSession(page)
  // CPU time of the thread: the machine may be busy with something else.
  await cdp.send('Performance.enable', {timeDomain: 'threadTicks'})
  try {
    page.setDefaultTimeout(PATIENCE_MS)
    await page.goto(`${url}?variant=${variant}&history=${size.history}&rate=${size.rate}`)
    await page.waitForFunction(count => document.querySelectorAll('article').length >= count, size.history)
    await page.evaluate(length => globalThis.run(length), size.warmUp)
    await cdp.send('Emulation.setCPUThrottlingRate', {rate: size.throttle})
    const samples = []
    const first = await sample(cdp)
    const running = page.evaluate(length => globalThis.run(length), size.characters)
    let over = false
    void running.finally(() => {
      over = true
    })
    while (!over) {
      samples.push(await sample(cdp))
      await new Promise(resolve => setTimeout(resolve, SAMPLE_MS))
    }
    const seen = await running
    if (wrong.length) throw new Error(`${variant}: ${wrong.join('; ')}`)
    if (seen.characters < size.characters * 0.7) throw new Error(`${variant} shows ${seen.characters} characters`)
    return summary(seen, [first, ...samples], size)
  } finally {
    await page.close()
  }
}

async function sample(cdp) {
  const {metrics} = await cdp.send('Performance.getMetrics')
  const {Timestamp, TaskDuration} = Object.fromEntries(metrics.map(({name, value}) => [name, value]))
  return {at: Timestamp * 1000, busy: TaskDuration * 1000}
}

function summary(seen, samples, size) {
  const lasted = seen.ended - seen.began
  const began = samples[0].at
  const share = (from, to) => busyBetween(samples, began + from * lasted, began + to * lasted) / ((to - from) * lasted)
  const gaps = seen.frames.slice(1).map((time, index) => time - seen.frames[index])
  const dropped = gaps.reduce((sum, gap) => sum + Math.max(0, Math.round(gap / FRAME_MS) - 1), 0)
  const later = seen.longTasks.filter(({start}) => start > seen.began + 1000)
  return {
    commits: seen.commits,
    commitsPerFrame: seen.commits / seen.frames.length,
    fps: (seen.frames.length / lasted) * 1000,
    droppedPercent: (dropped / (dropped + seen.frames.length)) * 100,
    longTasks: later.length,
    longestTaskMs: Math.max(0, ...later.map(({duration}) => duration)),
    busyPercent: share(0, 1) * 100,
    startMicrosecondsPerToken: (share(0, 0.25) / size.rate) * 1e6,
    endMicrosecondsPerToken: (share(0.75, 1) / size.rate) * 1e6,
    endToStart: share(0.75, 1) / share(0, 0.25),
    seconds: lasted / 1000
  }
}

/** Milliseconds of work between two times, taken as steady between two samples. */
function busyBetween(samples, from, to) {
  const at = time => {
    const next = samples.findIndex(sample => sample.at >= time)
    if (next <= 0) return samples.at(next)?.busy ?? 0
    const {at: start, busy} = samples[next - 1]
    const {at: end, busy: then} = samples[next]
    return busy + ((then - busy) * (time - start)) / (end - start)
  }
  return at(to) - at(from)
}
