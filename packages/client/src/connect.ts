import {Http} from './http.js'
import {newId} from './ids.js'
import {type Begin, type Link, makeLink, runPath} from './links.js'
import {restoredTranscript} from './restored.js'
import {FollowedRun, type Surroundings} from './run.js'
import {createScheduler} from './schedule.js'
import type {
  Client,
  ConnectOptions,
  FeedbackView,
  PageOptions,
  RunPage,
  RunView,
  Schemas,
  ThreadPage,
  ThreadView
} from './types.js'

/**
 * Returns the agent at `url`. Nothing is sent yet.
 *
 * @throws {TypeError} `url` is not a text.
 */
export function connect(options: ConnectOptions): Client {
  if (typeof options.url !== 'string') throw new TypeError('`url` must be that of an agent, as "/agent" is')
  const {transport = 'auto', debug} = options
  const http = new Http(options)
  const scheduler = createScheduler(options.flush ?? 'frame')
  const following = new Set<FollowedRun>()
  const links = new Map<Link['name'], Link>()
  let warned = false
  let preferred: Link['name'] = transport === 'auto' ? 'sse' : transport

  function link(): Link {
    let found = links.get(preferred)
    if (!found) {
      found = makeLink(preferred, http, options)
      links.set(preferred, found)
    }
    return found
  }

  const around: Surroundings = {
    http,
    scheduler,
    timeouts: options.timeouts ?? {},
    backoff: options.backoff ?? {},
    link,
    heldBack({name}) {
      if (!warned) console.warn(HELD_BACK)
      warned = true
      const other = options.WebSocket ?? globalThis.WebSocket
      if (transport !== 'auto' || name !== 'sse' || !other) return false
      preferred = 'websocket'
      return true
    },
    unusable({name}: Link) {
      if (transport === 'auto' && name === 'websocket') preferred = 'sse'
    },
    log: debug === true ? line => console.debug(`unspool ${line}`) : debug || undefined,
    left: run => following.delete(run)
  }

  function follow(runId: string, begin: Begin | undefined, signal: AbortSignal | undefined): FollowedRun {
    const run = new FollowedRun(around, runId, begin, signal)
    following.add(run)
    return run
  }

  return {
    url: http.url,
    start(input, {threadId, config, replaces, runId = newId(), signal} = {}) {
      const body = {
        input,
        run_id: runId,
        ...(threadId !== undefined && {thread_id: threadId}),
        ...(config && {config}),
        ...(replaces !== undefined && {replaces})
      }
      return follow(runId, {path: '/stream', body}, signal)
    },
    follow: (runId, {signal} = {}) => follow(runId, undefined, signal),
    resume(runId, answer, {config, runId: newRunId = newId(), signal} = {}) {
      const body = {...answer, run_id: newRunId, ...(config && {config})}
      return follow(newRunId, {path: `${runPath(runId)}/resume`, body}, signal)
    },
    cancel: runId => http.json<RunView>(`${runPath(runId)}/cancel`, {body: {}}),
    async run(runId, {transcript = false} = {}) {
      return restored(await http.json<RunView>(runPath(runId) + (transcript ? '?include=transcript' : '')))
    },
    runs: ({threadId, ...page} = {}) => http.json<RunPage>(`/runs${query({...page, thread_id: threadId})}`),
    threads: (page: PageOptions = {}) => http.json<ThreadPage>(`/threads${query({...page})}`),
    async thread(threadId) {
      const {runs, ...thread} = await http.json<ThreadView>(
        `/threads/${encodeURIComponent(threadId)}?include=transcripts`
      )
      return {...thread, runs: runs.map(restored)}
    },
    schemas: () => http.json<Schemas>('/schemas'),
    feedback: ({runId, ...facts}) => http.json<FeedbackView>('/feedback', {body: {run_id: runId, ...facts}}),
    close() {
      for (const run of [...following]) run.detach()
      for (const open of links.values()) open.close()
      scheduler.close()
    }
  }
}

const HELD_BACK =
  'Unspool: events arrive late, because something between the server and the browser gathers them. Turn off ' +
  'response buffering and compression for this path (nginx: `proxy_buffering off; gzip off;`).'

function restored(view: RunView): RunView {
  return view.transcript ? {...view, transcript: restoredTranscript(view.transcript)} : view
}

function query(fields: Record<string, string | number | undefined>): string {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined)
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : ''
}
