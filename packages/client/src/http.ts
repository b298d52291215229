/** Requests to one agent: headers, time limits, and errors that say what went wrong. */

import {errorOf, UnspoolError} from './errors.js'
import type {ConnectOptions} from './types.js'

const REQUEST_MS = 30_000

export interface HttpOptions {
  body?: unknown
  accept?: string
  signal?: AbortSignal
}

export class Http {
  readonly url: string
  readonly #options: ConnectOptions

  constructor(options: ConnectOptions) {
    this.url = options.url.replace(/\/+$/, '')
    this.#options = options
  }

  /**
   * Sends a request, and returns the response once its head is here. A body makes it a POST.
   *
   * @throws {UnspoolError} The server cannot be reached, or it refuses.
   */
  async send(path: string, {body, accept = 'application/json', signal}: HttpOptions = {}): Promise<Response> {
    const {headers, credentials} = this.#options
    let response: Response
    try {
      const all = new Headers(typeof headers === 'function' ? await headers() : headers)
      all.set('Accept', accept)
      if (body !== undefined) all.set('Content-Type', 'application/json')
      response = await (this.#options.fetch ?? fetch)(this.url + path, {
        headers: all,
        cache: 'no-store',
        ...(credentials && {credentials}),
        ...(signal && {signal}),
        ...(body !== undefined && {method: 'POST', body: JSON.stringify(body)})
      })
    } catch (cause) {
      throw unreachable(cause)
    }
    if (response.ok) return response
    throw await refusal(response)
  }

  /** Sends a request that is not a stream, and returns what the JSON of its answer says. */
  async json<T>(path: string, options: HttpOptions = {}): Promise<T> {
    const limit = AbortSignal.timeout(this.#options.timeouts?.request ?? REQUEST_MS)
    const response = await this.send(path, {...options, signal: limit})
    try {
      return (await response.json()) as T
    } catch (cause) {
      throw limit.aborted
        ? unreachable(cause)
        : new UnspoolError('parse', 'The server did not answer in JSON.', {cause})
    }
  }
}

/** What a failed `fetch` means. */
export function unreachable(cause: unknown): UnspoolError {
  if (cause instanceof UnspoolError) return cause
  if (cause instanceof DOMException && cause.name === 'TimeoutError') {
    return new UnspoolError('timeout', 'The server did not answer in time.', {cause})
  }
  return new UnspoolError('network', 'The server cannot be reached.', {cause})
}

async function refusal(response: Response): Promise<UnspoolError> {
  const body: unknown = await response.json().catch(() => ({}))
  const problem = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {}
  const {code, detail, retryable, error_id} = problem
  const retry_after = secondsOf(response.headers.get('Retry-After')) ?? problem.retry_after
  return errorOf({code, detail, retryable, error_id, retry_after}, response.status)
}

/** `Retry-After` is a number of seconds, or a date. */
function secondsOf(header: string | null): number | undefined {
  if (!header) return undefined
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds)
}
