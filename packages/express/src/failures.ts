/** What a client may know of what a source threw: a known, safe message, and never the error's own. */

import {randomUUID} from 'node:crypto'
import {RETRYABLE, Refusal, SourceError, type WireCode} from './errors.js'

export interface Failure {
  code: string
  message: string
  retryable: boolean
  /** Seconds. */
  retryAfter?: number | undefined
  /** Set for `internal` only: what to look for in the server's log. */
  errorId?: string
  detail?: Record<string, unknown>
}

type Known = readonly [code: WireCode, message: string, retryable: boolean]

/** What providers' SDKs throw, by the HTTP status that they report. 529 is Anthropic's "overloaded". */
const BY_STATUS: Readonly<Record<number, Known>> = {
  400: ['validation', 'The model provider refused the request as invalid.', false],
  401: ['auth', "The model provider refused the server's credentials.", false],
  403: ['auth', "The model provider refused the server's credentials.", false],
  404: ['provider', 'The model provider does not know this model or address.', false],
  408: ['timeout', 'The model provider took too long.', true],
  409: ['provider', 'The model provider reported a conflict.', true],
  413: ['validation', 'The conversation is too long for the model.', false],
  422: ['validation', 'The model provider refused the request as invalid.', false],
  429: ['rate_limit', 'The model provider is limiting requests. Try again later.', true],
  529: ['overloaded', 'The model provider is overloaded. Try again later.', true]
}

/** SDK errors without a status, by class name. */
const BY_NAME: Readonly<Record<string, Known>> = {
  APIConnectionTimeoutError: ['timeout', 'The model provider took too long.', true],
  APIConnectionError: ['provider', 'The model provider could not be reached.', true],
  TimeoutError: ['timeout', 'The source took too long.', true]
}

/** The base classes of the errors of OpenAI's and Anthropic's SDKs, and the name of that of Vercel's AI SDK. */
const SDK_NAMES: ReadonlySet<string> = new Set(['APIError', 'AI_APICallError', 'APICallError'])
const TOO_LONG: ReadonlySet<unknown> = new Set(['context_length_exceeded', 'string_above_max_length'])
const FILTERED: ReadonlySet<unknown> = new Set(['content_filter', 'content_policy_violation'])

/** Looks at `error`, then at its causes. What is not known is `internal`, with a new error id to log it under. */
export function classify(error: unknown): Failure {
  let looked: unknown = error
  for (let depth = 0; depth < 10 && looked instanceof Error; depth += 1) {
    const known = knownOf(looked)
    if (known) return known
    looked = looked.cause
  }
  const errorId = randomUUID().replaceAll('-', '').slice(0, 12)
  return {code: 'internal', message: 'Something went wrong on the server.', retryable: false, errorId}
}

function knownOf(error: Error): Failure | undefined {
  if (error instanceof SourceError) {
    const {code, message, retryable, retryAfter} = error
    return {code, message, retryable, retryAfter}
  }
  if (error instanceof Refusal) {
    const {code, retryable, retryAfter} = error.facts
    return {code, message: error.message, retryable: retryable ?? RETRYABLE.has(code), retryAfter}
  }
  const names = namesOf(error)
  const fields = error as {status?: unknown; statusCode?: unknown; code?: unknown}
  const status = typeof fields.status === 'number' ? fields.status : fields.statusCode
  if (typeof status === 'number' && names.some(name => SDK_NAMES.has(name))) return ofStatus(error, status, fields.code)
  const name = names.find(name => Object.hasOwn(BY_NAME, name))
  return name === undefined ? undefined : failure(BY_NAME[name] as Known)
}

function ofStatus(error: Error, status: number, code: unknown): Failure {
  if (TOO_LONG.has(code)) return failure(['validation', 'The conversation is too long for the model.', false])
  if (FILTERED.has(code)) return failure(['provider', "The model provider's content filter refused this.", false])
  const known = BY_STATUS[status] ?? (['provider', 'The model provider failed.', status >= 500] as const)
  return {...failure(known), retryAfter: retryAfterOf(error)}
}

function failure([code, message, retryable]: Known): Failure {
  return {code, message, retryable}
}

/** The names of its classes, nearest first, with its own `name`, which outlives minifying. */
function namesOf(error: Error): string[] {
  const names = [error.name]
  let proto: unknown = Object.getPrototypeOf(error)
  while (proto && proto !== Error.prototype) {
    names.push((proto as object).constructor.name)
    proto = Object.getPrototypeOf(proto)
  }
  return names
}

/** In seconds; the HTTP-date form, which model providers do not send, is ignored. */
function retryAfterOf(error: Error): number | undefined {
  const {headers, responseHeaders} = error as {headers?: unknown; responseHeaders?: unknown}
  const value = headers instanceof Headers ? headers.get('retry-after') : (plain(headers) ?? plain(responseHeaders))
  const seconds = value === null || value === undefined ? Number.NaN : Number(value)
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined
}

function plain(headers: unknown): unknown {
  return typeof headers === 'object' && headers !== null
    ? (headers as Record<string, unknown>)['retry-after']
    : undefined
}
