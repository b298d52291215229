/** One WebSocket for all runs of a client: `spec/PROTOCOL.md`, section 4.3. */

import {recordOf} from './decode.js'
import {errorOf, UnspoolError} from './errors.js'
import type {Http} from './http.js'
import {beginRun, type Link, type LinkRequest, type Sink} from './links.js'
import type {ConnectOptions} from './types.js'

const HEARTBEAT_MS = 30_000
const DEAD_MS = 60_000
const OPEN_MS = 15_000
const NOT_AUTHENTICATED = 4401

export class RunSocket implements Link {
  readonly name = 'websocket'
  readonly #http: Http
  readonly #ticket: () => Promise<string>
  readonly #Socket: typeof WebSocket | undefined
  /** The socket that new runs go over. A broken or idle one is never used again. */
  #current: Promise<OpenSocket> | undefined

  constructor(http: Http, ticket: () => Promise<string>, options: ConnectOptions) {
    this.#http = http
    this.#ticket = ticket
    this.#Socket = options.WebSocket ?? globalThis.WebSocket
  }

  async follow(request: LinkRequest, sink: Sink, signal: AbortSignal): Promise<void> {
    const {begin} = request
    if (begin && begin.path !== '/stream') {
      await beginRun(this.#http, begin, signal)
      return this.follow({...request, begin: undefined}, sink, signal)
    }
    this.#current ??= this.#open()
    const socket = await this.#current
    if (!signal.aborted) await socket.follow(request, sink, signal)
  }

  close(): void {
    this.#current?.then(
      socket => socket.close(),
      () => {}
    )
  }

  #open(): Promise<OpenSocket> {
    const opening = this.#connect()
    const forget = () => {
      if (this.#current === opening) this.#current = undefined
    }
    opening.then(socket => socket.onGone(forget), forget)
    return opening
  }

  async #connect(): Promise<OpenSocket> {
    if (!this.#Socket) throw new UnspoolError('validation', 'There is no WebSocket here: give one to `connect`.')
    const pass = await this.#ticket()
    const url = new URL(`${this.#http.url}/ws`, globalThis.location?.href)
    url.protocol = url.protocol.replace('http', 'ws')
    if (pass) url.searchParams.set('ticket', pass)
    const socket = new this.#Socket(url)
    await opened(socket)
    return new OpenSocket(socket)
  }
}

function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    const patience = setTimeout(() => socket.close(), OPEN_MS)
    socket.onopen = () => {
      clearTimeout(patience)
      resolve()
    }
    socket.onclose = ({code}) => {
      clearTimeout(patience)
      reject(closed(code))
    }
  })
}

function closed(code: number): UnspoolError {
  return code === NOT_AUTHENTICATED
    ? new UnspoolError('auth', 'The server does not know who is asking.')
    : new UnspoolError('network', 'The WebSocket was closed.')
}

interface Following {
  sink: Sink
  settle: (error?: UnspoolError) => void
}

/** A socket that is open, until it is gone. */
class OpenSocket {
  readonly #socket: WebSocket
  readonly #following = new Map<string, Set<Following>>()
  readonly #heartbeat: ReturnType<typeof setInterval>
  #heard = Date.now()
  #gone = () => {}

  constructor(socket: WebSocket) {
    this.#socket = socket
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS)
    socket.onmessage = ({data}: MessageEvent<string>) => this.#take(data)
    socket.onclose = ({code}) => this.#lose(closed(code))
  }

  onGone(listener: () => void): void {
    this.#gone = listener
    if (this.#socket.readyState !== this.#socket.OPEN) listener()
  }

  async follow({runId, after, begin}: LinkRequest, sink: Sink, signal: AbortSignal): Promise<void> {
    if (this.#socket.readyState !== this.#socket.OPEN) throw closed(0)
    const runs = this.#following.get(runId) ?? new Set()
    this.#following.set(runId, runs)
    const done = new AbortController()
    let mine: Following | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        mine = {sink, settle: error => (error ? reject(error) : resolve())}
        runs.add(mine)
        signal.addEventListener('abort', () => resolve(), {signal: done.signal})
        const message = begin ? {type: 'start', ...begin.body} : {type: 'resume', run_id: runId, after}
        this.#socket.send(JSON.stringify({...message, ref: runId}))
      })
    } finally {
      done.abort()
      if (mine) runs.delete(mine)
      if (!runs.size) this.#following.delete(runId)
      // The protocol has no way to leave one run, and nobody is left to heed the others.
      if (!this.#following.size) this.close()
    }
  }

  close(): void {
    this.#lose(closed(0))
  }

  #beat(): void {
    if (Date.now() - this.#heard > DEAD_MS) this.#lose(new UnspoolError('network', 'The WebSocket is silent.'))
    else this.#socket.send('{"type":"heartbeat"}')
  }

  #lose(error: UnspoolError): void {
    clearInterval(this.#heartbeat)
    this.#socket.onclose = this.#socket.onmessage = null
    this.#socket.close()
    this.#gone()
    for (const {settle} of this.#all()) settle(error)
  }

  #all(): Following[] {
    return [...this.#following.values()].flatMap(runs => [...runs])
  }

  #take(data: string): void {
    this.#heard = Date.now()
    for (const {sink} of this.#all()) sink.alive()
    let message: Record<string, unknown>
    try {
      message = JSON.parse(data)
    } catch (cause) {
      this.#lose(new UnspoolError('parse', 'The server sent a message that is not JSON.', {cause}))
      return
    }
    for (const {sink, settle} of [...(this.#following.get(String(message.run_id ?? message.ref)) ?? [])]) {
      try {
        if (message.type === 'started') sink.opened()
        else if (message.type === 'error') settle(problemOf(message.problem))
        else if (message.type === 'event') {
          sink.opened()
          sink.records([recordOf(message.seq, undefined, message.event)])
        }
      } catch (error) {
        settle(error as UnspoolError)
      }
    }
  }
}

function problemOf(problem: unknown): UnspoolError {
  const facts = (problem ?? {}) as Record<string, unknown>
  return errorOf(facts, typeof facts.status === 'number' ? facts.status : undefined)
}
