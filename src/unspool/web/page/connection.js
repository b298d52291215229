import {SseReader} from './sse.js'

/** A connection that says nothing for so long, not even a heartbeat, is dead. */
const SILENCE_MS = 45_000
const LONGEST_WAIT_MS = 5_000

/** What the server said instead of a stream. */
export class Refused extends Error {
  /** @param {number} status @param {{detail?: string, code?: string}} problem */
  constructor(status, problem) {
    super(problem.detail ?? `The server answered ${status}.`)
    this.status = status
    this.code = problem.code ?? 'internal'
  }
}

/** @param {Response} response */
async function refusal(response) {
  const problem = await response.json().catch(() => ({}))
  return new Refused(response.status, problem)
}

/**
 * Asks the server for JSON.
 *
 * @param {string} url
 * @param {RequestInit} [init]
 * @returns {Promise<any>}
 */
export async function ask(url, init) {
  const response = await fetch(url, init)
  if (!response.ok) throw await refusal(response)
  return response.json()
}

/**
 * Starts a run, once, however often the reply gets lost: the client chooses its id.
 *
 * @param {string} agent
 * @param {object} body
 * @param {() => void} waiting told when the server cannot be reached
 */
export async function start(agent, body, waiting) {
  for (let failures = 0; ; failures += 1) {
    try {
      return await ask(`${agent}/runs`, {
        method: 'POST',
        headers: {'Content-Type': 'application/json'},
        body: JSON.stringify(body)
      })
    } catch (error) {
      if (error instanceof Refused && error.status !== 503) throw error
      waiting()
      await sleep(failures)
    }
  }
}

/**
 * Follows a run to its end, through lost connections and restarts of the server, from where it has got to.
 *
 * @param {string} agent
 * @param {import('./run.js').Run} run
 * @param {{changed: () => void, waiting: () => void, signal: AbortSignal}} options
 */
export async function follow(agent, run, {changed, waiting, signal}) {
  let failures = 0
  while (!run.ended && !signal.aborted) {
    try {
      await read(agent, run, signal, () => {
        failures = 0
        changed()
      })
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof Refused && error.status < 500) throw error
    }
    if (run.ended || signal.aborted) return
    waiting()
    await sleep(failures)
    failures += 1
  }
}

/**
 * @param {string} agent
 * @param {import('./run.js').Run} run
 * @param {AbortSignal} signal
 * @param {() => void} changed
 */
async function read(agent, run, signal, changed) {
  const dead = new AbortController()
  const url = `${agent}/runs/${encodeURIComponent(run.id)}/stream?after=${run.seq}`
  const response = await fetch(url, {
    headers: {Accept: 'text/event-stream'},
    signal: AbortSignal.any([signal, dead.signal])
  })
  if (!response.ok) throw await refusal(response)
  if (!response.body) return
  const reader = response.body.getReader()
  const events = new SseReader()
  let watchdog = setTimeout(() => dead.abort(), SILENCE_MS)
  try {
    for (;;) {
      const {done, value} = await reader.read()
      if (done) return
      clearTimeout(watchdog)
      watchdog = setTimeout(() => dead.abort(), SILENCE_MS)
      for (const {id, data} of events.feed(value)) run.fold(Number(id), JSON.parse(data))
      changed()
    }
  } finally {
    clearTimeout(watchdog)
  }
}

/** Exponential backoff with full jitter. @param {number} failures */
function sleep(failures) {
  const longest = Math.min(LONGEST_WAIT_MS, 250 * 2 ** failures)
  return new Promise(resolve => setTimeout(resolve, 100 + Math.random() * longest))
}
