/** Lists of runs and of conversations, in pages. */

import type {Request, Response} from 'express'
import {queryNumber} from './bodies.js'
import {runNotFound, threadNotFound} from './errors.js'
import {type Context, queryOf} from './following.js'
import {includes} from './handlers.js'
import type {LoggedRun} from './log.js'
import {sendJson} from './problems.js'
import {brief, threadSummary, threadView} from './views.js'

const PAGE = 50
const MAX_PAGE = 200

/** GET /runs: the caller's runs, newest first. */
export function listRuns({log, settings}: Context, req: Request, res: Response, owner: string): void {
  const query = queryOf(req)
  const limit = limitOf(query)
  const thread = query.get('thread_id')
  const all = log.list(owner)
  const behind = after(all, query.get('before'), runNotFound, run => run.id)
  const found = behind.filter(run => thread === null || run.request.threadId === thread)
  const page = found.slice(0, limit)
  const next = found.length > limit ? page.at(-1)?.id : null
  sendJson(res, {runs: page.map(run => brief(run, settings.name)), next})
}

/** GET /threads: the caller's conversations, the one with the newest run first. */
export function listThreads({log}: Context, req: Request, res: Response, owner: string): void {
  const query = queryOf(req)
  const limit = limitOf(query)
  const byId = new Map<string, [LoggedRun, ...LoggedRun[]]>()
  for (const run of log.list(owner)) {
    const {threadId} = run.request
    if (threadId === undefined) continue
    const runs = byId.get(threadId)
    if (runs) runs.unshift(run)
    else byId.set(threadId, [run])
  }
  const found = after([...byId], query.get('before'), threadNotFound, ([id]) => id)
  const page = found.slice(0, limit)
  const next = found.length > limit ? page.at(-1)?.[0] : null
  sendJson(res, {threads: page.map(([id, runs]) => threadSummary(id, runs)), next})
}

/** GET /threads/{thread_id}: its newest 200 runs, oldest first, and the messages they fold into. */
export function showThread({log, settings}: Context, req: Request, res: Response, owner: string): void {
  const id = String(req.params.threadId)
  const withTranscripts = includes(req, 'transcripts')
  const runs = log.thread(owner, id)
  if (runs.length === 0) throw threadNotFound(id)
  sendJson(res, threadView(id, runs, settings.name, withTranscripts))
}

function limitOf(query: URLSearchParams): number {
  return queryNumber(query, 'limit', 1, MAX_PAGE) ?? PAGE
}

/** What comes behind the item with this id; all without one. */
function after<T>(items: T[], id: string | null, missing: (id: string) => Error, idOf: (item: T) => string): T[] {
  if (id === null) return items
  const index = items.findIndex(item => idOf(item) === id)
  if (index < 0) throw missing(id)
  return items.slice(index + 1)
}
