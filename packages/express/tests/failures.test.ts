/** What becomes of the errors of model providers' SDKs: a safe message of ours, and the code that fits. */

import {expect, test} from 'vitest'
import {SourceError} from '../src/errors.js'
import {classify} from '../src/failures.js'

/** As OpenAI's and Anthropic's SDKs have it. */
class APIError extends Error {
  readonly status: number | undefined
  readonly headers: Headers | Record<string, string>
  readonly code: string | undefined

  constructor(status?: number, headers: Headers | Record<string, string> = {}, code?: string) {
    super('secret')
    this.status = status
    this.headers = headers
    this.code = code
  }
}
class RateLimitError extends APIError {}
class APIConnectionError extends APIError {}
class APIConnectionTimeoutError extends APIConnectionError {}

/** As Vercel's AI SDK has it. */
class CallError extends Error {
  override readonly name = 'AI_APICallError'
  readonly statusCode = 503
  readonly responseHeaders = {'retry-after': '7'}
}

test.each<[error: unknown, code: string, retryable: boolean, retryAfter?: number]>([
  [new RateLimitError(429, new Headers({'Retry-After': '30'})), 'rate_limit', true, 30],
  [new RateLimitError(429, {'retry-after': '0.5'}), 'rate_limit', true, 0.5],
  [new RateLimitError(429, {'retry-after': 'Sat, 21 Nov 2026 07:28:00 GMT'}), 'rate_limit', true],
  [new APIError(400), 'validation', false],
  [new APIError(401), 'auth', false],
  [new APIError(404), 'provider', false],
  [new APIError(418), 'provider', false],
  [new APIError(500), 'provider', true],
  [new APIError(529), 'overloaded', true],
  [new APIError(400, {}, 'context_length_exceeded'), 'validation', false],
  [new APIError(400, {}, 'content_filter'), 'provider', false],
  [new APIConnectionError(), 'provider', true],
  [new APIConnectionTimeoutError(), 'timeout', true],
  [new DOMException('secret', 'TimeoutError'), 'timeout', true],
  [new CallError('secret'), 'provider', true, 7],
  [new Error('secret', {cause: new APIError(429)}), 'rate_limit', true],
  [new SourceError('Told.', {code: 'auth'}), 'auth', false],
  [new SourceError('Told.', {code: 'overloaded'}), 'overloaded', true],
  [new SourceError('Told.'), 'provider', false]
])('the error of case %# has its code', (error, code, retryable, retryAfter) => {
  // spec: ERR-1, ERR-2
  const failure = classify(error)
  expect([failure.code, failure.retryable, failure.retryAfter]).toEqual([code, retryable, retryAfter])
  expect(failure.message).not.toContain('secret')
  expect(failure.errorId).toBeUndefined()
})

test('only SDKs are believed their status', () => {
  const error = Object.assign(new Error('secret'), {status: 429, statusCode: 429})
  expect(classify(error)).toMatchObject({code: 'internal', retryable: false})
})

test.each([[new Error('secret')], ['secret'], [undefined], [{message: 'secret', code: 'provider'}]])(
  'what is not known is internal, under an id of its own: case %#',
  thrown => {
    // spec: ERR-2
    const failure = classify(thrown)
    expect(failure).toEqual({
      code: 'internal',
      message: 'Something went wrong on the server.',
      retryable: false,
      errorId: expect.stringMatching(/^[0-9a-f]{12}$/)
    })
    expect(classify(thrown).errorId).not.toBe(failure.errorId)
  }
)

test('a cause that is its own cause is looked at only so often', () => {
  const error = new Error('secret')
  error.cause = error
  expect(classify(error).code).toBe('internal')
})
