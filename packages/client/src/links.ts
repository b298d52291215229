/** How records travel: one connection to one run, until it closes. Whoever uses a link makes the next one. */

import {recordOfFrame, SseDecoder} from './decode.js'
import {UnspoolError} from './errors.js'
import type {UnspoolRecord} from './events.js'
import {type Http, unreachable} from './http.js'
import type {ConnectOptions, TransportName} from './types.js'

/** The request that makes the run. Sent again until a record of the run has come: its run id makes that safe. */
export interface Begin {
  path: string
  body: {run_id: string; [field: string]: unknown}
}

export interface LinkRequest {
  runId: string
  after: number
  begin: Begin | undefined
}

export interface Sink {
  /** The server has the run, and answers. */
  opened(): void
  /** Something came, if only a heartbeat. */
  alive(): void
  records(records: UnspoolRecord[]): void
}

export interface Link {
  readonly name: Exclude<TransportName, 'auto'>
  /**
   * Connects, and hands over what comes. Returns when the other side closes, also in the middle of a run.
   *
   * @throws {UnspoolError} It cannot be opened, or what came is not the protocol.
   */
  follow(request: LinkRequest, sink: Sink, signal: AbortSignal): Promise<void>
  close(): void
}

/** Makes a link. What only some apps use is loaded when it is used. */
export function makeLink(name: Link['name'], http: Http, options: ConnectOptions): Link {
  if (name === 'sse' || name === 'ndjson') return fetchLink(name, http)
  const ticket = (options.tickets ?? options.headers !== undefined) ? () => ticketFrom(http) : async () => ''
  const loading: Promise<Link> =
    name === 'websocket'
      ? import('./socket.js').then(({RunSocket}) => new RunSocket(http, ticket, options))
      : import('./eventsource.js').then(({eventSourceLink}) => eventSourceLink(http, ticket, options))
  loading.catch(() => {}) // told to whoever follows
  return {
    name,
    follow: async (...request) => (await loading.catch(notLoaded)).follow(...request),
    close: () => void loading.then(link => link.close())
  }
}

export function notLoaded(cause: unknown): never {
  throw new UnspoolError('network', 'A part of the page could not be loaded. Reload it.', {cause})
}

/** What a socket or an EventSource sends in place of headers. */
async function ticketFrom(http: Http): Promise<string> {
  return (await http.json<{ticket: string}>('/tickets', {body: {}})).ticket
}

export function runPath(runId: string): string {
  return `/runs/${encodeURIComponent(runId)}`
}

function fetchLink(name: 'sse' | 'ndjson', http: Http): Link {
  const accept = name === 'sse' ? 'text/event-stream' : 'application/x-ndjson'
  return {
    name,
    close() {},
    async follow({runId, after, begin}, sink, signal) {
      const path = begin?.path ?? `${runPath(runId)}/stream?after=${after}`
      const response = await http.send(path, {accept, signal, ...(begin && {body: begin.body})})
      sink.opened()
      if (response.status === 204) return
      const type = response.headers.get('Content-Type') ?? ''
      if (!type.startsWith(accept)) {
        void response.body?.cancel()
        throw new UnspoolError('parse', `Instead of a stream came “${type}”: is the URL that of an agent?`)
      }
      if (!response.body) throw new UnspoolError('network', 'This platform’s fetch does not stream.')
      const read = name === 'sse' ? frames() : (await import('./lines.js')).lineReader()
      const reader = response.body.getReader()
      // Node's fetch leaves a reader waiting that begins to read while it is being aborted.
      const leave = () => void reader.cancel().catch(() => {})
      signal.addEventListener('abort', leave, {once: true})
      try {
        while (!signal.aborted) {
          const {done, value} = await reader.read().catch(cause => Promise.reject(unreachable(cause)))
          if (done) return
          sink.alive()
          const records = read(value)
          if (records.length) sink.records(records)
        }
      } finally {
        signal.removeEventListener('abort', leave)
        leave()
      }
    }
  }
}

function frames(): (chunk: Uint8Array) => UnspoolRecord[] {
  const decoder = new SseDecoder()
  return chunk => decoder.feed(chunk).map(recordOfFrame)
}

/** Makes the run without following it, for links that cannot do both in one. */
export async function beginRun(http: Http, {path, body}: Begin, signal: AbortSignal): Promise<void> {
  if (path === '/stream') {
    await http.json('/runs', {body})
    return
  }
  const response = await http.send(path, {body, accept: 'text/event-stream', signal})
  await response.body?.cancel()
}
