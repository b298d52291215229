/** What is refused or goes wrong, by its stable code, and the HTTP status that tells of it. */

/** The codes of the native protocol: `spec/PROTOCOL.md`, ERR-1. */
export type WireCode =
  | 'provider'
  | 'rate_limit'
  | 'timeout'
  | 'auth'
  | 'validation'
  | 'cancelled'
  | 'lost'
  | 'log_lost'
  | 'overloaded'
  | 'not_found'
  | 'conflict'
  | 'cursor_unknown'
  | 'cursor_expired'
  | 'internal'

export interface SourceErrorOptions {
  /** Default `provider`. */
  code?: WireCode
  /** Whether the same request may succeed later. Default: as is usual for the code. */
  retryable?: boolean
  /** Seconds to wait before that. */
  retryAfter?: number
  cause?: unknown
}

/** Throw this in a source to choose what the client is told. `message` is shown to it as it is. */
export class SourceError extends Error {
  override readonly name = 'SourceError'
  readonly code: WireCode
  readonly retryable: boolean
  readonly retryAfter: number | undefined

  constructor(message: string, options: SourceErrorOptions = {}) {
    super(message, 'cause' in options ? {cause: options.cause} : undefined)
    this.code = options.code ?? 'provider'
    this.retryable = options.retryable ?? RETRYABLE.has(this.code)
    this.retryAfter = options.retryAfter
  }
}

export const RETRYABLE: ReadonlySet<string> = new Set<WireCode>(['timeout', 'overloaded', 'lost', 'rate_limit'])

/** The status of a run that ended with a code. `auth` is the provider refusing the server: 502. */
const STATUS: Readonly<Record<WireCode, number>> = {
  provider: 502,
  rate_limit: 429,
  timeout: 504,
  auth: 502,
  validation: 422,
  cancelled: 409,
  lost: 503,
  log_lost: 503,
  overloaded: 503,
  not_found: 404,
  conflict: 409,
  cursor_unknown: 409,
  cursor_expired: 410,
  internal: 500
}

interface Facts {
  code: string
  status: number
  title: string
  retryable?: boolean
  retryAfter?: number | undefined
  errorId?: string | undefined
  runId?: string | undefined
}

/** A request that is refused. The message says what to change, and is sent. */
export class Refusal extends Error {
  override readonly name: string = 'Refusal'
  readonly facts: Facts

  constructor(message: string, facts: Facts) {
    super(message)
    this.facts = facts
  }
}

/** A body, a parameter or an event that cannot be used. */
export class InvalidInput extends Refusal {
  override readonly name = 'InvalidInput'

  constructor(message: string, status = 422, title = 'Invalid input') {
    super(message, {code: 'validation', status, title})
  }
}

export function malformed(message: string): Refusal {
  return new InvalidInput(message, 400, 'Malformed request')
}

export function tooLarge(what: string, limit: number): Refusal {
  return new InvalidInput(`${what} is over the limit of ${limit.toLocaleString('en-US')} bytes`, 413, 'Too large')
}

export function notAuthenticated(): Refusal {
  return new Refusal('the request carries no credentials that are accepted', {
    code: 'auth',
    status: 401,
    title: 'Not authenticated'
  })
}

export function runNotFound(runId: string): Refusal {
  return new Refusal(`there is no run '${runId}'`, {code: 'not_found', status: 404, title: 'Run not found', runId})
}

export function threadNotFound(threadId: string): Refusal {
  return new Refusal(`there is no thread '${threadId}'`, {code: 'not_found', status: 404, title: 'Thread not found'})
}

export function conflict(message: string, runId?: string): Refusal {
  return new Refusal(message, {code: 'conflict', status: 409, title: 'Conflict', runId})
}

export function cursorUnknown(asked: string | number, last: number): Refusal {
  const message = `the log has no position ${asked}; its last one is ${last}. Read again from 0`
  return new Refusal(message, {code: 'cursor_unknown', status: 409, title: 'Unknown cursor'})
}

export function cursorExpired(asked: number, first: number): Refusal {
  const message = `what follows position ${asked} was removed by retention; the log now begins at ${first}`
  return new Refusal(message, {code: 'cursor_expired', status: 410, title: 'Expired cursor'})
}

export function idempotencyConflict(key: string): Refusal {
  const message = `the idempotency key '${key}' was already used with another request; use a new key`
  return new InvalidInput(message, 422, 'Idempotency key used for another request')
}

export function overloaded(message: string): Refusal {
  return new Refusal(message, {code: 'overloaded', status: 503, title: 'Overloaded', retryable: true, retryAfter: 2})
}

/** A run that ended in an error, where somebody waited for its output. */
export function runFailed(
  message: string,
  facts: {
    code: string
    runId: string
    retryable?: boolean
    retryAfter?: number | undefined
    errorId?: string | undefined
  }
): Refusal {
  const status = Object.hasOwn(STATUS, facts.code) ? STATUS[facts.code as WireCode] : 500
  return new Refusal(message, {status, title: 'The run failed', ...facts})
}
