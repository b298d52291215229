/** Requests about one run that are answered with JSON. */

import type {Request, Response} from 'express'
import {batchBody, feedbackBody, type ResumeBody, readBody, resumeBody, startBody} from './bodies.js'
import {conflict, InvalidInput, runFailed} from './errors.js'
import {type Context, keyOf, queryOf, start, stream} from './following.js'
import type {Feedback, LoggedRun} from './log.js'
import {problemOf, sendJson} from './problems.js'
import {newRunId} from './runner.js'
import {transcriptOf} from './transcript.js'
import {brief, full, invoked} from './views.js'

/** POST /runs: start a run in the background. */
export async function startRun(context: Context, req: Request, res: Response, owner: string): Promise<void> {
  const body = startBody(await readBody(req, context.settings.maxBodyBytes))
  const run = start(context, req, body, owner)
  const headers = {Location: `${req.baseUrl}/runs/${run.id}`, 'Unspool-Run-Id': run.id}
  sendJson(res, brief(run, context.settings.name), {status: 202, headers})
}

/** POST /invoke: start a run and wait for its output. */
export async function invoke(context: Context, req: Request, res: Response, owner: string): Promise<void> {
  const body = startBody(await readBody(req, context.settings.maxBodyBytes))
  const run = start(context, req, body, owner)
  await ended(run, res)
  if (res.destroyed) return
  const transcript = transcriptOf(run)
  const {error} = transcript
  if (error) {
    const {code, message, retryable, retry_after: retryAfter, error_id: errorId} = error
    throw runFailed(message, {code, runId: run.id, retryAfter, errorId, ...(retryable && {retryable})})
  }
  sendJson(res, invoked(run, transcript), {headers: {'Unspool-Run-Id': run.id}})
}

/** Inputs of a batch that run at one time. */
const AT_A_TIME = 10

/** POST /batch: run several inputs, a few at a time, and wait for all. */
export async function batch(context: Context, req: Request, res: Response, owner: string): Promise<void> {
  const {inputs, config = {}} = batchBody(await readBody(req, context.settings.maxBodyBytes))
  const outputs: unknown[] = []
  const waiting = [...inputs.entries()]
  const work = async () => {
    for (let next = waiting.shift(); next && !res.destroyed; next = waiting.shift()) {
      const [index, input] = next
      const runId = newRunId()
      try {
        const run = context.runner.start({owner, runId, request: {input, config}})
        await ended(run, res)
        outputs[index] = invoked(run, transcriptOf(run))
      } catch (error) {
        outputs[index] = {run_id: runId, status: 'failed', error: problemOf(error, context.settings.onError)}
      }
    }
  }
  await Promise.all(Array.from({length: AT_A_TIME}, work))
  if (!res.destroyed) sendJson(res, {outputs})
}

/** GET /runs/{run_id}: status and output. */
export function showRun({log, settings}: Context, req: Request, res: Response, owner: string): void {
  const run = log.get(String(req.params.runId), owner)
  sendJson(res, full(run, settings.name, includes(req, 'transcript')))
}

/** POST /runs/{run_id}/cancel: stop it; what it produced is kept. */
export function cancelRun({log, runner, settings}: Context, req: Request, res: Response, owner: string): void {
  const run = log.get(String(req.params.runId), owner)
  const status = run.ended ? 200 : 202
  runner.cancel(run)
  sendJson(res, brief(run, settings.name), {status})
}

/** POST /runs/{run_id}/resume: answer an interrupted run with a new one, and follow that. */
export async function resumeRun(context: Context, req: Request, res: Response, owner: string): Promise<void> {
  const {log, runner, settings} = context
  const interrupted = log.get(String(req.params.runId), owner)
  const body = resumeBody(await readBody(req, settings.maxBodyBytes))
  if (interrupted.status !== 'interrupted') {
    throw conflict(`the run does not wait for an answer: it is ${interrupted.status}`)
  }
  if (interrupted.replaced) {
    throw conflict('the run does not wait for an answer any more: another one took its place')
  }
  const {interrupts} = transcriptOf(interrupted)
  const answer = answersIn(
    body,
    interrupts.map(({interrupt_id}) => interrupt_id)
  )
  const threadId = interrupted.request.threadId ?? interrupted.id
  const request = {input: undefined, config: body.config ?? {}, threadId, resumes: interrupted.id, answer}
  await stream(context, req, res, runner.start({owner, request, runId: body.run_id, key: keyOf(req)}))
}

/** GET /schemas: what it takes and gives. */
export function schemas({settings}: Context, _req: Request, res: Response): void {
  const {name, description, accepts, maxBodyBytes} = settings
  sendJson(res, {
    name,
    ...(description !== undefined && {description}),
    ...settings.schemas,
    accepts,
    max_body_bytes: maxBodyBytes
  })
}

const MAX_FEEDBACK_KEYS = 100

/** POST /feedback: what somebody thinks of a run. */
export async function feedback({log, settings}: Context, req: Request, res: Response, owner: string): Promise<void> {
  const {run_id, key = 'score', score, value, comment} = feedbackBody(await readBody(req, settings.maxBodyBytes))
  const run = log.get(run_id, owner)
  if (!run.feedback.has(key) && run.feedback.size >= MAX_FEEDBACK_KEYS) {
    throw new InvalidInput(`a run takes feedback under ${MAX_FEEDBACK_KEYS} keys, and has that many`)
  }
  const given: Feedback = {
    key,
    at: log.now(),
    ...(typeof score === 'number' || typeof score === 'boolean' ? {score} : {}),
    ...(value !== undefined && value !== null && {value}),
    ...(typeof comment === 'string' && {comment})
  }
  run.feedback.set(key, given)
  sendJson(res, {run_id, ...given})
}

/** Whether `?include=` asks for it. @throws {InvalidInput} It asks for something else. */
export function includes(req: Request, what: string): boolean {
  const wanted = queryOf(req).get('include')
  if (wanted !== null && wanted !== what) throw new InvalidInput(`\`include\` can be \`${what}\`, and nothing else`)
  return wanted !== null
}

/** Resolves at the end of the run, or once the client has left. */
function ended(run: LoggedRun, res: Response): Promise<void> {
  return new Promise(resolve => {
    const look = () => {
      if (!run.ended && !res.destroyed) return
      leave()
      res.off('close', look)
      resolve()
    }
    const leave = run.listen(look)
    res.on('close', look)
    look()
  })
}

function answersIn({answer, answers}: ResumeBody, pending: readonly string[]): Record<string, unknown> {
  const all = pending.join(', ')
  if (answers !== undefined && answer === undefined) {
    const ids = Object.keys(answers)
    if (ids.length === 0 || ids.some(id => !pending.includes(id))) {
      throw new InvalidInput(`answer these interrupts, by id: ${all}`)
    }
    return answers
  }
  if (answer === undefined || answers !== undefined) throw new InvalidInput('give either `answer` or `answers`')
  if (pending.length !== 1) throw new InvalidInput(`there is more than one interrupt; give \`answers\` by id: ${all}`)
  return {[pending[0] as string]: answer}
}
