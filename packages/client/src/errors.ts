/** What can go wrong, by what one can do about it. */
export type ErrorCode =
  | 'network' // the server cannot be reached
  | 'timeout' // one of `timeouts`, or the server's own
  | 'parse' // what came is not the protocol
  | 'auth'
  | 'rate_limit'
  | 'not_found'
  | 'validation'
  | 'conflict' // the run is not in a state for this
  | 'overloaded'
  | 'provider' // the model's provider refused or failed
  | 'cancelled'
  | 'lost' // the process that ran it died, or its events are gone
  | 'internal'

export interface ErrorFacts {
  /** Whether trying the same again may succeed. */
  recoverable?: boolean | undefined
  /** Milliseconds to wait before that. */
  retryAfter?: number | undefined
  /** For the server's log. */
  errorId?: string | undefined
  /** Of the HTTP response. */
  status?: number | undefined
  cause?: unknown
}

/** The one error class. `message` was written for people, and may be shown. */
export class UnspoolError extends Error {
  override readonly name = 'UnspoolError'
  readonly code: ErrorCode
  readonly recoverable: boolean
  readonly retryAfter: number | undefined
  readonly errorId: string | undefined
  readonly status: number | undefined

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message, 'cause' in facts ? {cause: facts.cause} : undefined)
    this.code = code
    this.recoverable = facts.recoverable ?? RECOVERABLE.has(code)
    this.retryAfter = facts.retryAfter
    this.errorId = facts.errorId
    this.status = facts.status
  }
}

const RECOVERABLE = new Set<ErrorCode>(['network', 'timeout', 'rate_limit', 'overloaded', 'lost'])

const BY_WIRE_CODE: Record<string, ErrorCode> = {
  provider: 'provider',
  rate_limit: 'rate_limit',
  timeout: 'timeout',
  auth: 'auth',
  validation: 'validation',
  cancelled: 'cancelled',
  lost: 'lost',
  log_lost: 'lost',
  cursor_unknown: 'lost',
  cursor_expired: 'lost',
  overloaded: 'overloaded',
  not_found: 'not_found',
  conflict: 'conflict',
  internal: 'internal'
}

interface WireError {
  code?: unknown
  message?: unknown
  detail?: unknown
  retryable?: unknown
  retry_after?: unknown
  error_id?: unknown
}

/** Of an `error` event, or of the body of a problem (RFC 9457). */
export function errorOf(wire: WireError, status?: number): UnspoolError {
  const {code, message, detail, retryable, retry_after, error_id} = wire
  const known = (typeof code === 'string' ? BY_WIRE_CODE[code] : undefined) ?? codeOf(status)
  const text = typeof message === 'string' ? message : typeof detail === 'string' ? detail : undefined
  return new UnspoolError(known, text ?? `The server answered ${status ?? 'with an error'}.`, {
    recoverable: typeof retryable === 'boolean' ? retryable : undefined,
    retryAfter: typeof retry_after === 'number' ? retry_after * 1000 : undefined,
    errorId: typeof error_id === 'string' ? error_id : undefined,
    status
  })
}

function codeOf(status = 500): ErrorCode {
  if (status === 401 || status === 403) return 'auth'
  if (status === 404) return 'not_found'
  if (status === 409) return 'conflict'
  if (status === 410) return 'lost'
  if (status === 429) return 'rate_limit'
  if (status >= 502 && status <= 504) return 'overloaded'
  return status >= 500 ? 'internal' : 'validation'
}
