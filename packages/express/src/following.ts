/** Requests that are answered with a stream. */

import type {Request, Response} from 'express'
import {fromJson, queryId, queryNumber, readBody, type StartBody, startBody} from './bodies.js'
import type {Cursor} from './cursor.js'
import {parseCursor} from './cursor.js'
import {cursorUnknown, InvalidInput} from './errors.js'
import {follow} from './follower.js'
import type {LoggedRun, MemoryLog, RunRequest} from './log.js'
import {ndjson, wantsLines} from './ndjson.js'
import type {Settings} from './options.js'
import type {Runner} from './runner.js'
import {Outgoing, openStream} from './sending.js'
import {sse} from './sse.js'

/** What the handlers of one agent share. */
export interface Context {
  readonly log: MemoryLog
  readonly runner: Runner
  readonly settings: Settings
}

/** POST /stream: start a run and follow it. */
export async function startAndFollow(context: Context, req: Request, res: Response, owner: string): Promise<void> {
  const body = startBody(await readBody(req, context.settings.maxBodyBytes))
  const query = queryOf(req)
  coalescing(query) // refused before anything is started
  checkCursor(req, query, body)
  await stream(context, req, res, start(context, req, body, owner))
}

/** GET /stream?input=…: the same for EventSource, whose reconnect resumes instead of starting again. */
export async function startFromQuery(context: Context, req: Request, res: Response, owner: string): Promise<void> {
  const query = queryOf(req)
  const lastId = req.get('Last-Event-ID')
  const runId = lastId ? parseCursor(lastId).runId : null
  if (runId !== null) return stream(context, req, res, context.log.get(runId, owner), true)
  const input = query.get('input')
  if (input === null) throw new InvalidInput('the query parameter `input` is missing')
  coalescing(query)
  const body: StartBody = {input: textOrJson(input), config: configOf(query)}
  for (const name of ['thread_id', 'run_id', 'replaces'] as const) {
    const value = queryId(query, name)
    if (value !== undefined) body[name] = value
  }
  checkCursor(req, query, body)
  await stream(context, req, res, start(context, req, body, owner), true)
}

/** GET /runs/{run_id}/stream: follow from `Last-Event-ID`, else `?after=`, else from the beginning. */
export async function followRun(context: Context, req: Request, res: Response, owner: string): Promise<void> {
  await stream(context, req, res, context.log.get(String(req.params.runId), owner))
}

/** Starts the run that a body asks for, or finds it. */
export function start({runner}: Context, req: Request, body: StartBody, owner: string): LoggedRun {
  return runner.start({owner, request: requestOf(body), runId: body.run_id, key: keyOf(req)})
}

/** The caller's `Idempotency-Key`. */
export function keyOf(req: Request): string | undefined {
  const key = req.get('Idempotency-Key')
  if (key !== undefined && (key.length < 1 || key.length > 255)) {
    throw new InvalidInput('Idempotency-Key must have 1 to 255 characters')
  }
  return key
}

/** Follows the run. `withRunId`: the ids on the wire carry it. */
export async function stream(context: Context, req: Request, res: Response, run: LoggedRun, withRunId = false) {
  const {heartbeat, drainTimeout} = context.settings
  const query = queryOf(req)
  const cursor = cursorOf(req, query)
  if (cursor && cursor.runId !== null && cursor.runId !== run.id) throw cursorUnknown(inWords(cursor), run.lastSeq)
  const after = cursor?.seq ?? 0
  const merging = coalescing(query)
  run.read(after) // refuses a cursor before the first byte
  if (run.ended && after > 0 && after === run.lastSeq) {
    res.writeHead(204, {'Unspool-Run-Id': run.id, 'Cache-Control': 'no-cache'}).end()
    return
  }
  const codec = wantsLines(req.get('Accept')) ? ndjson : sse({runId: withRunId ? run.id : undefined})
  const out = new Outgoing(res, drainTimeout)
  openStream(res, codec.mediaType, {
    'Unspool-Run-Id': run.id,
    'Content-Location': `${req.baseUrl}/runs/${run.id}/stream`
  })
  await follow(run, out, {after, codec, heartbeat, ...merging})
}

export function queryOf(req: Request): URLSearchParams {
  const mark = req.url.indexOf('?')
  return new URLSearchParams(mark < 0 ? '' : req.url.slice(mark))
}

function requestOf({input, thread_id, config, replaces}: StartBody): RunRequest {
  return {input, threadId: thread_id, config: config ?? {}, replaces}
}

/** Refuses the position of a run in the request for a new one, which has none to go on from. */
function checkCursor(req: Request, query: URLSearchParams, body: StartBody): void {
  const cursor = cursorOf(req, query)
  if (!cursor || body.run_id !== undefined || keyOf(req) !== undefined) return
  if (cursor.runId !== null || cursor.seq > 0) throw cursorUnknown(inWords(cursor), 0)
}

function inWords({runId, seq}: Cursor): string {
  return runId === null ? `${seq}` : `${runId.slice(0, 150)}:${seq}`
}

/** The header wins: EventSource keeps the old URL when it reconnects. */
function cursorOf(req: Request, query: URLSearchParams): Cursor | undefined {
  const text = req.get('Last-Event-ID') || query.get('after')
  return text ? parseCursor(text) : undefined
}

const MAX_TOKENS = 1000
const MAX_MS = 5000

function coalescing(query: URLSearchParams): {coalesceTokens: number; coalesceMs: number} {
  return {
    coalesceTokens: queryNumber(query, 'coalesce_tokens', 2, MAX_TOKENS) ?? 0,
    coalesceMs: queryNumber(query, 'coalesce_ms', 1, MAX_MS) ?? 0
  }
}

/** An object or an array is JSON; all else is text, a number too. */
function textOrJson(text: string): unknown {
  if (!text.startsWith('{') && !text.startsWith('[')) return text
  try {
    return fromJson(text)
  } catch {
    return text
  }
}

function configOf(query: URLSearchParams): Record<string, unknown> {
  try {
    const config = fromJson(query.get('config') ?? '{}')
    if (typeof config === 'object' && config !== null && !Array.isArray(config))
      return config as Record<string, unknown>
  } catch {
    // Refused below, like JSON of another kind.
  }
  throw new InvalidInput('the query parameter `config` must be a JSON object')
}
