/** The routes of the native protocol: `spec/PROTOCOL.md`, section 6. */

import {type NextFunction, type Request, type RequestHandler, type Response, Router} from 'express'
import {notAuthenticated} from './errors.js'
import {type Context, followRun, startAndFollow, startFromQuery} from './following.js'
import {batch, cancelRun, feedback, invoke, resumeRun, schemas, showRun, startRun} from './handlers.js'
import {listRuns, listThreads, showThread} from './lists.js'
import {sendProblem} from './problems.js'

/** Answers a request of `owner`; throws what is to be a problem. */
export type Handler = (context: Context, req: Request, res: Response, owner: string) => void | Promise<void>

type Methods = {get?: Handler; post?: Handler}

const TABLE: readonly [path: string, methods: Methods][] = [
  ['/stream', {get: startFromQuery, post: startAndFollow}],
  ['/invoke', {post: invoke}],
  ['/batch', {post: batch}],
  ['/runs', {get: listRuns, post: startRun}],
  ['/runs/:runId', {get: showRun}],
  ['/runs/:runId/stream', {get: followRun}],
  ['/runs/:runId/cancel', {post: cancelRun}],
  ['/runs/:runId/resume', {post: resumeRun}],
  ['/threads', {get: listThreads}],
  ['/threads/:threadId', {get: showThread}],
  ['/schemas', {get: schemas}],
  ['/feedback', {post: feedback}]
]

export function makeRouter(context: Context): Router {
  const router = Router()
  for (const [path, {get, post}] of TABLE) {
    const route = router.route(path)
    const allowed = [get && 'GET', post && 'POST'].filter(Boolean).join(', ')
    // Before GET, which would answer it: a HEAD of a stream would start a run, or hold one.
    route.head(notAllowed(allowed))
    if (get) route.get(guarded(context, get))
    if (post) route.post(guarded(context, post))
    route.all(notAllowed(allowed))
  }
  return router
}

function guarded(context: Context, handler: Handler): RequestHandler {
  const {authenticate, onError} = context.settings
  return async (req, res) => {
    try {
      const owner = await authenticate(req)
      if (!owner) throw notAuthenticated()
      await handler(context, req, res, owner)
    } catch (error) {
      sendProblem(res, error, onError)
    }
  }
}

/** OPTIONS is left to the app: it may want to answer preflights. */
function notAllowed(allowed: string): RequestHandler {
  return (req: Request, res: Response, next: NextFunction) => {
    if (req.method === 'OPTIONS') next()
    else res.status(405).set('Allow', allowed).end()
  }
}
