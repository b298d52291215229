/** Errors before the first byte: problem details, RFC 9457. */

import type {ServerResponse} from 'node:http'
import {Refusal} from './errors.js'
import {classify} from './failures.js'

export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  code: string
  retryable?: true
  retry_after?: number
  error_id?: string
  run_id?: string
}

/** Told what a client may not know. `errorId` is what the client was given instead, where it was given one. */
export interface ErrorReport {
  errorId?: string
  runId?: string
}

export type OnError = (error: unknown, report: ErrorReport) => void

export const logToConsole: OnError = (error, {errorId, runId}) => {
  const about = [runId && `run ${runId}`, errorId && `error id ${errorId}`].filter(Boolean).join(', ')
  console.error(about ? `unspool: ${about}:` : 'unspool:', error)
}

/** What a client may know of `error`. What is not a refusal is reported, under the error id that it gets. */
export function problemOf(error: unknown, onError: OnError): Problem {
  if (!(error instanceof Refusal)) {
    const {errorId, message} = classify(undefined)
    onError(error, {...(errorId !== undefined && {errorId})})
    return problem(message, {code: 'internal', status: 500, title: 'Internal error', errorId})
  }
  return problem(error.message, error.facts)
}

function problem(detail: string, facts: Refusal['facts']): Problem {
  const {code, status, title, retryable, retryAfter, errorId, runId} = facts
  return {
    type: `urn:unspool:error:${code}`,
    title,
    status,
    detail,
    code,
    ...(retryable && {retryable}),
    ...(retryAfter !== undefined && {retry_after: retryAfter}),
    ...(errorId !== undefined && {error_id: errorId}),
    ...(runId !== undefined && {run_id: runId})
  }
}

/** Answers with the problem; a response that has begun already is cut instead. */
export function sendProblem(res: ServerResponse, error: unknown, onError: OnError): void {
  const body = problemOf(error, onError)
  if (res.headersSent) {
    res.destroy()
    return
  }
  const headers: Record<string, string> = {'Cache-Control': 'no-store'}
  if (body.retry_after !== undefined) headers['Retry-After'] = String(Math.ceil(body.retry_after))
  sendJson(res, body, {status: body.status, headers, type: 'application/problem+json'})
}

export interface JsonOptions {
  status?: number
  headers?: Record<string, string>
  type?: string
}

export function sendJson(res: ServerResponse, body: unknown, options: JsonOptions = {}): void {
  const {status = 200, headers = {}, type = 'application/json'} = options
  const data = Buffer.from(JSON.stringify(body))
  res.writeHead(status, {'Content-Type': type, 'Content-Length': data.length, ...headers})
  res.end(data)
}
