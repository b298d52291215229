import {ask, follow, Refused, start} from './connection.js'
import {Run} from './run.js'
import {RunView} from './view.js'

/** @template {HTMLElement} T @param {string} id @returns {T} */
const byId = id => /** @type {T} */ (document.getElementById(id))

const log = byId('log')
const status = byId('status')
const input = /** @type {HTMLTextAreaElement} */ (byId('input'))
const send = /** @type {HTMLButtonElement} */ (byId('send'))
const stop = /** @type {HTMLButtonElement} */ (byId('stop'))
const down = byId('down')
const threads = /** @type {HTMLSelectElement} */ (byId('threads'))

const settings = await ask('page.json')
const agent = settings.agent
byId('title').textContent = document.title = settings.title
byId('model').textContent = settings.model ? `Model: ${settings.model}` : ''
byId('note').textContent = settings.note

let thread = ''
/** @type {RunView[]} */
let views = []
/** @type {Run | undefined} */
let current
let leaving = new AbortController()
let frame = 0
let pinned = true

// -- what is shown -------------------------------------------------------------------------------------

/** Renders once per frame, however many events came. */
function changed() {
  if (frame) return
  frame = requestAnimationFrame(() => {
    frame = 0
    for (const view of views) if (!view.closed || view.attempt !== view.run.messages) view.render()
    if (pinned) log.scrollTop = log.scrollHeight
    down.hidden = pinned
    if (current) say(current.tokens ? 'Answering…' : 'Thinking…')
  })
}

/** @param {string} text */
function say(text) {
  if (status.textContent !== text) status.textContent = text
}

/** @param {boolean} busy */
function setBusy(busy) {
  send.hidden = busy
  stop.hidden = !busy
  stop.disabled = false
}

log.addEventListener('scroll', () => {
  pinned = log.scrollHeight - log.scrollTop - log.clientHeight < 40
  down.hidden = pinned
})
down.addEventListener('click', () => {
  pinned = true
  changed()
})

// -- runs ----------------------------------------------------------------------------------------------

/** @param {Run} run */
function show(run) {
  const view = new RunView(run, {answer, again})
  views.push(view)
  const column = log.querySelector('.column') ?? log.appendChild(document.createElement('div'))
  column.className = 'column'
  column.append(view.element)
  return view
}

/** Follows a run to its end. @param {Run} run */
async function watch(run) {
  const {signal} = leaving
  current = run
  setBusy(true)
  changed()
  try {
    await follow(agent, run, {changed, signal, waiting: () => say('The connection was lost. Reconnecting…')})
  } catch (error) {
    refused(error)
  }
  if (signal.aborted) return
  current = undefined
  setBusy(false)
  changed()
  say(ENDINGS[run.status] ?? '')
  await listThreads()
}

/** What the status line says at the end, so that a screen reader hears it once. @type {Record<string, string>} */
const ENDINGS = {
  completed: 'The answer is complete.',
  cancelled: 'Stopped.',
  failed: 'The answer failed.',
  interrupted: 'It waits for your answer.'
}

/** @param {unknown} error */
function refused(error) {
  say(error instanceof Refused ? error.message : 'Something went wrong on this page. Reload it.')
}

/** @param {unknown} asked */
async function submit(asked) {
  if (current) return
  const run = new Run(crypto.randomUUID())
  run.input = asked
  show(run)
  pinned = true
  current = run
  setBusy(true)
  changed()
  const body = {input: asked, thread_id: thread, run_id: run.id}
  try {
    await start(agent, body, () => say('The server does not answer. Trying again…'))
  } catch (error) {
    current = undefined
    setBusy(false)
    refused(error)
    return
  }
  await watch(run)
}

/** @param {Run} run */
function again(run) {
  void submit(run.input)
}

/** @param {Run} run @param {string} value */
async function answer(run, value) {
  const following = new Run(crypto.randomUUID())
  const dead = new AbortController()
  try {
    const response = await fetch(`${agent}/runs/${run.id}/resume`, {
      method: 'POST',
      headers: {'Content-Type': 'application/json'},
      body: JSON.stringify({answer: value, run_id: following.id}),
      signal: dead.signal
    })
    if (!response.ok) throw new Refused(response.status, await response.json().catch(() => ({})))
  } catch (error) {
    refused(error)
    return
  }
  // The run goes on without this response; it is followed like any other.
  dead.abort()
  show(following)
  await watch(following)
}

async function cancel() {
  if (!current) return
  stop.disabled = true
  say('Stopping…')
  try {
    await ask(`${agent}/runs/${current.id}/cancel`, {method: 'POST'})
  } catch (error) {
    stop.disabled = false
    if (!(error instanceof Refused && error.status === 409)) refused(error)
  }
}

// -- threads -------------------------------------------------------------------------------------------

async function listThreads() {
  const {threads: found} = await ask(`${agent}/threads?limit=30`).catch(() => ({threads: []}))
  const options = found.map((/** @type {any} */ {id, updated_at}) => {
    const when = new Date(updated_at * 1000).toLocaleString([], {dateStyle: 'medium', timeStyle: 'short'})
    return new Option(when, id, false, id === thread)
  })
  if (!found.some((/** @type {any} */ {id}) => id === thread))
    options.unshift(new Option('New chat', thread, true, true))
  threads.replaceChildren(...options)
}

/** Shows a thread as it is, and follows what still runs. @param {string} id */
async function open(id) {
  leaving.abort()
  leaving = new AbortController()
  const {signal} = leaving
  thread = id
  location.hash = id
  views = []
  current = undefined
  pinned = true
  log.replaceChildren()
  setBusy(false)
  say('')
  const list = listThreads()
  try {
    for (const view of await runsOf(id)) {
      if (signal.aborted) return
      const run = new Run(view.id)
      show(run)
      await watch(run)
    }
  } catch (error) {
    if (!signal.aborted) refused(error)
  }
  await list
  input.focus()
}

/** @param {string} id @returns {Promise<{id: string}[]>} oldest first; none for a new thread */
async function runsOf(id) {
  for (;;) {
    try {
      return (await ask(`${agent}/runs?limit=200&thread_id=${encodeURIComponent(id)}`)).runs.reverse()
    } catch (error) {
      if (error instanceof Refused) throw error
      say('The server does not answer. Trying again…')
      await new Promise(resolve => setTimeout(resolve, 1000))
    }
  }
}

// -- the person ----------------------------------------------------------------------------------------

byId('form').addEventListener('submit', event => {
  event.preventDefault()
  const text = input.value.trim()
  if (!text || current) return
  input.value = ''
  input.style.height = ''
  void submit(text)
})
input.addEventListener('keydown', event => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault()
    byId('form').dispatchEvent(new Event('submit', {cancelable: true}))
  }
})
input.addEventListener('input', () => {
  input.style.height = 'auto'
  input.style.height = `${input.scrollHeight + 2}px`
})
document.addEventListener('keydown', event => {
  if (event.key === 'Escape') void cancel()
})
stop.addEventListener('click', () => void cancel())
byId('new').addEventListener('click', () => void open(crypto.randomUUID()))
threads.addEventListener('change', () => void open(threads.value))
window.addEventListener('hashchange', () => {
  const id = location.hash.slice(1)
  if (id && id !== thread) void open(id)
})

await open(location.hash.slice(1) || crypto.randomUUID())
