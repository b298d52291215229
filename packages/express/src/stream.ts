/** One response that streams one source: the simplest thing, without a log and without resume. */

import type {ServerResponse} from 'node:http'
import {cursorUnknown} from './errors.js'
import {type EndStatus, MAX_EVENT_BYTES, type SourceItem} from './events.js'
import {Execution, type Timeouts} from './execution.js'
import {ndjson, wantsLines} from './ndjson.js'
import {streaming} from './options.js'
import {type OnError, sendProblem} from './problems.js'
import {newRunId} from './runner.js'
import {Outgoing, openStream} from './sending.js'
import {sse} from './sse.js'

/** Durations are milliseconds. */
export interface StreamOptions {
  /** Default: a new one. */
  runId?: string
  threadId?: string
  /** What was asked: shown in the transcript as the user's message. */
  input?: unknown
  /** What the run is said to come from. Default `agent`. */
  name?: string
  /** Ends the run as `cancelled`. */
  signal?: AbortSignal
  timeouts?: Timeouts
  /** Silence after which a sign of life is sent. Default 15,000. */
  heartbeat?: number
  /** What EventSource waits before it reconnects. Default 1000. */
  retry?: number
  /** What the socket may take to drain before it is closed. Default 30,000. */
  drainTimeout?: number
  /** Of one event, as JSON. Default, and most: 4 MiB. */
  maxEventBytes?: number
  /** Told of all that the client is not told. Default: the console. */
  onError?: OnError
}

/** An iterable, or what makes one; it is given a signal that is aborted when the client leaves. */
export type StreamSource =
  | AsyncIterable<SourceItem>
  | ((signal: AbortSignal) => AsyncIterable<SourceItem> | PromiseLike<AsyncIterable<SourceItem>>)

export interface StreamResult {
  readonly runId: string
  /** `cancelled` also where the client left. */
  readonly status: EndStatus
}

/**
 * Answers a request with the events of `source`: as server-sent events, or as lines where `Accept` asks for those.
 *
 * The source is read no faster than the client reads, and closed when the client leaves. What it throws becomes a safe
 * `error` event. A request that wants to resume (`Last-Event-ID`) is refused with 409: there is nothing to resume from.
 *
 * @returns Once the response is done. It does not reject.
 */
export async function streamEvents(
  res: ServerResponse,
  source: StreamSource,
  options: StreamOptions = {}
): Promise<StreamResult> {
  const {req} = res
  const {timeouts, heartbeat, drainTimeout, onError} = streaming(options)
  const {runId = newRunId(), threadId, input, name = 'agent', signal, retry} = options
  const cursor = req.headers['last-event-id']
  if (cursor) {
    sendProblem(res, cursorUnknown(String(cursor).slice(0, 200), 0), onError)
    return {runId, status: 'failed'}
  }
  if (req.method === 'HEAD') {
    res.writeHead(405, {Allow: 'GET, POST'}).end()
    return {runId, status: 'failed'}
  }
  // EventSource learns of its run only from the ids.
  const withRunId = req.method === 'GET' ? runId : undefined
  const codec = wantsLines(req.headers.accept) ? ndjson : sse({runId: withRunId, retry})
  const out = new Outgoing(res, drainTimeout)
  let seq = 0
  let silence: NodeJS.Timeout | undefined
  const execution = new Execution({
    start: {
      type: 'start',
      run_id: runId,
      source: name,
      created_at: Date.now() / 1000,
      ...(threadId !== undefined && {thread_id: threadId}),
      input
    },
    timeouts,
    maxEventBytes: Math.min(options.maxEventBytes ?? MAX_EVENT_BYTES, MAX_EVENT_BYTES),
    onError,
    open: aborted => (typeof source === 'function' ? source(aborted) : source),
    emit: data => {
      seq += 1
      silence?.refresh()
      return out.write(codec.encode([{seq, at: Date.now() / 1000, data}]))
    }
  })
  const stop = () => execution.stop('cancelled')
  out.onClose(stop)
  signal?.addEventListener('abort', stop)
  if (signal?.aborted || out.closed) stop()
  if (!out.closed) openStream(res, codec.mediaType, {'Unspool-Run-Id': runId})
  void out.write(codec.opening)
  silence = setInterval(() => {
    if (!out.waiting) void out.write(codec.heartbeat)
  }, heartbeat)
  try {
    const status = await execution.run()
    out.end()
    return {runId, status}
  } finally {
    clearInterval(silence)
    signal?.removeEventListener('abort', stop)
  }
}
