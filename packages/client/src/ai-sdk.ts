/**
 * For the AI SDK's `useChat`: a transport with which stop stops the run, and a lost connection does not lose the answer;
 * and what was said in a chat before.
 */

import type {ChatTransport, UIMessage, UIMessageChunk} from 'ai'
import {SseDecoder} from './decode.js'
import {onWake} from './wake.js'

type Later<T> = T | (() => T | Promise<T>)

export interface UnspoolTransportOptions {
  /** Where the agent speaks the protocol: `/agent/ai-sdk`, with `?v=7` for version 7 of the AI SDK. */
  api: string
  headers?: Later<Record<string, string> | Headers>
  /** More members for the body of each request: `config` goes to the source. */
  body?: Later<object>
  credentials?: RequestCredentials
  fetch?: typeof fetch
  /** How often in a row a lost connection is tried anew before it counts as an error. Default: 8, in about 30 seconds. */
  attempts?: number
  /** Told when a run could not be stopped: it goes on, and costs. */
  onStopError?: (error: unknown) => void
}

export interface UnspoolTransport<M extends UIMessage = UIMessage> extends ChatTransport<M> {
  /**
   * What was said in a chat, for the `messages` of `useChat`; nothing in a chat that the server does not know.
   *
   * The last answer is not among it if it goes on. `resume` of the same transport brings it, even if it has ended
   * meanwhile. That an answer failed or was cancelled is in its `metadata.status`.
   *
   * @throws {Error} The server cannot be reached (a TypeError), or it refuses: the message is for the user.
   */
  loadMessages(chatId: string): Promise<M[]>
}

export interface LoadMessagesOptions
  extends Pick<UnspoolTransportOptions, 'api' | 'headers' | 'credentials' | 'fetch'> {
  /** Of the chat. */
  id: string
}

/** What was said in a chat, as a transport of its own would load it: for a server, or beside the SDK's transport. */
export function loadMessages<M extends UIMessage = UIMessage>({id, ...options}: LoadMessagesOptions): Promise<M[]> {
  return unspoolTransport<M>(options).loadMessages(id)
}

/** A transport for the `transport` option of `useChat`. */
export function unspoolTransport<M extends UIMessage = UIMessage>(
  options: UnspoolTransportOptions
): UnspoolTransport<M> {
  const resumes = new Map<string, object>()
  /** By chat: the run that went on when its messages were loaded. */
  const running = new Map<string, string>()
  return {
    resumeStreamIsReplay: true,

    async loadMessages(chatId) {
      const answer = new Answer(options, chatId, undefined)
      const [{readPast}, response] = await Promise.all([
        import('./past-messages.js'),
        answer.request('GET', answer.place('messages'))
      ])
      const past = await readPast<M>(response)
      if (past.running) running.set(chatId, past.running)
      else running.delete(chatId)
      return past.messages
    },

    async sendMessages({abortSignal, chatId, messages, trigger, messageId, headers, body}) {
      running.delete(chatId)
      const answer = new Answer(options, chatId, headers)
      const all = {...(await resolved(options.body)), ...body, id: chatId, messages, trigger, messageId}
      return answer.open(
        () => answer.request('POST', '', JSON.stringify(all)),
        abortSignal,
        () => true
      ) as Promise<ReadableStream<UIMessageChunk>>
    },

    async reconnectToStream({abortSignal, chatId, headers}) {
      const resume = {}
      resumes.set(chatId, resume)
      const answer = new Answer(options, chatId, headers, running)
      // A newer resume of the chat aborts an older one. That is no wish to stop.
      return answer.open(
        () => answer.request('GET', answer.place('stream')),
        abortSignal,
        () => resumes.get(chatId) === resume
      )
    }
  }
}

/** One assistant message on its way, over as many connections as it takes. */
class Answer {
  readonly #options: UnspoolTransportOptions
  readonly #chatId: string
  readonly #headers: Record<string, string> | Headers | undefined
  readonly #running: Map<string, string> | undefined
  readonly #leaving = new AbortController()
  #runId: string | null
  /** How many chunks were given out. A run is told in the same chunks each time. */
  #given = 0
  #failures = 0
  #left = false
  #fail: ((reason: unknown) => void) | undefined

  constructor(
    options: UnspoolTransportOptions,
    chatId: string,
    headers: Record<string, string> | Headers | undefined,
    running?: Map<string, string>
  ) {
    this.#options = options
    this.#chatId = chatId
    this.#headers = headers
    this.#running = running
    this.#runId = running?.get(chatId) ?? null
  }

  /** Null: there is nothing to follow. */
  async open(
    begin: () => Promise<Response>,
    signal: AbortSignal | undefined,
    stops: () => boolean
  ): Promise<ReadableStream<UIMessageChunk> | null> {
    signal?.throwIfAborted()
    const response = begin()
    await new Promise<void>((resolve, reject) => {
      response.then(() => resolve(), reject)
      signal?.addEventListener('abort', () => {
        this.#left = true
        reject(signal.reason)
        this.#fail?.(signal.reason)
        // Not at once: whether a newer request takes the place of this one is known only then.
        setTimeout(() => void this.#leave(response, stops()))
      })
    })
    const {status, body, headers} = await response
    this.#runId ??= headers.get('unspool-run-id')
    return status === 204 || !body ? null : this.#chunks(body)
  }

  async request(method: 'GET' | 'POST', path: string, body?: string): Promise<Response> {
    const {fetch = globalThis.fetch, credentials} = this.#options
    const headers = new Headers(await resolved(this.#options.headers))
    for (const [name, value] of new Headers(this.#headers)) headers.set(name, value)
    if (body !== undefined) headers.set('Content-Type', 'application/json')
    const response = await fetch(withPath(this.#options.api, path), {
      method,
      headers,
      cache: 'no-store',
      signal: this.#leaving.signal,
      ...(credentials && {credentials}),
      ...(body !== undefined && {body})
    })
    if (!response.ok) throw new Refused(response.status, await response.text())
    return response
  }

  /** Of what there is of a chat, for this run where it is known. */
  place(what: 'messages' | 'stream' | 'stop'): string {
    const run = this.#runId === null ? '' : `?run_id=${encodeURIComponent(this.#runId)}`
    const replay = run && what === 'stream' && this.#running ? '&replay=1' : ''
    return `/${encodeURIComponent(this.#chatId)}/${what}${run}${replay}`
  }

  /** The user is done with it. */
  async #leave(response: Promise<Response>, stops: boolean): Promise<void> {
    try {
      if (stops) {
        // The run may have begun without our having heard of it.
        const heard = await response.catch(() => undefined)
        this.#runId ??= heard?.headers.get('unspool-run-id') ?? null
        if (heard?.status === 200) await this.request('POST', this.place('stop'))
      }
    } catch (error) {
      this.#options.onStopError?.(error)
    } finally {
      this.#leaving.abort()
    }
  }

  #chunks(body: ReadableStream<Uint8Array>): ReadableStream<UIMessageChunk> {
    let source = readerOf(body)
    return new ReadableStream<UIMessageChunk>({
      start: controller => {
        this.#fail = reason => controller.error(reason)
      },
      pull: async controller => {
        for (let given = false; !given && !this.#left; ) {
          try {
            given = this.#take(await source.next(), source.seen, controller)
          } catch (error) {
            if (this.#left) return
            if (!(error instanceof Lost)) throw error
            source = readerOf(await this.#again())
          }
        }
      },
      cancel: () => {
        this.#left = true
        this.#leaving.abort()
      }
    })
  }

  /** Gives out what is new of the frames, of which the last is number `seen`. Returns whether there was any. */
  #take(frames: string[], seen: number, controller: ReadableStreamDefaultController<UIMessageChunk>): boolean {
    const fresh = this.#left ? [] : frames.slice(Math.max(0, this.#given - seen + frames.length))
    for (const data of fresh) {
      if (data === '[DONE]') {
        this.#running?.delete(this.#chatId)
        controller.close()
      } else this.#give(JSON.parse(data) as UIMessageChunk, controller)
    }
    return fresh.length > 0
  }

  #give(chunk: UIMessageChunk, controller: ReadableStreamDefaultController<UIMessageChunk>): void {
    const metadata = chunk.type === 'start' ? (chunk.messageMetadata as {runId?: unknown} | undefined) : undefined
    if (typeof metadata?.runId === 'string') this.#runId = metadata.runId
    this.#given += 1
    this.#failures = 0
    controller.enqueue(chunk)
  }

  async #again(): Promise<ReadableStream<Uint8Array>> {
    const {attempts = 8} = this.#options
    while (this.#failures < attempts && !this.#left) {
      await pause(Math.min(250 * 2 ** this.#failures, 8000) * (0.5 + Math.random() / 2), this.#leaving.signal)
      this.#failures += 1
      try {
        const {body, status} = await this.request('GET', this.place('stream'))
        if (status === 200 && body) return body
        throw new Refused(status, 'The answer is gone.')
      } catch (error) {
        const passes = error instanceof TypeError || (error instanceof Refused && error.status >= 500)
        if (!passes) throw error
      }
    }
    throw new TypeError('network error: the connection was lost, and the server cannot be reached')
  }
}

/** The connection ended before the answer did. */
class Lost extends Error {}

/** The message is what the server says to the user. */
class Refused extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

interface FrameReader {
  /** How many frames came over this connection. */
  seen: number
  /** The frames that come next. */
  next(): Promise<string[]>
}

function readerOf(body: ReadableStream<Uint8Array>): FrameReader {
  const decoder = new SseDecoder()
  const bytes = body.getReader()
  return {
    seen: 0,
    async next() {
      const {done, value} = await bytes.read().catch(cause => {
        throw new Lost('the connection was lost', {cause})
      })
      if (done) throw new Lost('the connection ended')
      const frames = decoder.feed(value).map(({data}) => data)
      this.seen += frames.length
      return frames
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const leaving = onWake(reason => reason === 'online' && done())
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
    function done(): void {
      leaving()
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}

function resolved<T>(value: Later<T> | undefined): T | Promise<T> | undefined {
  return typeof value === 'function' ? (value as () => T | Promise<T>)() : value
}

/** A path, with or without a query, behind that of a URL which may have a query, too. */
function withPath(url: string, path: string): string {
  const [place = '', query] = url.split('?')
  const [more = '', parameters] = path.split('?')
  const all = [query, parameters].filter(Boolean).join('&')
  return place.replace(/\/+$/, '') + more + (all && `?${all}`)
}
