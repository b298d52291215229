/** Records by the browser's own EventSource. */

import {recordOfFrame} from './decode.js'
import {UnspoolError} from './errors.js'
import type {Http} from './http.js'
import {beginRun, type Link, runPath} from './links.js'
import type {ConnectOptions} from './types.js'

export function eventSourceLink(http: Http, ticket: () => Promise<string>, options: ConnectOptions): Link {
  const Source = options.EventSource ?? globalThis.EventSource
  return {
    name: 'eventsource',
    close() {},
    async follow({runId, after, begin}, sink, signal) {
      if (!Source) throw new UnspoolError('validation', 'There is no EventSource here: give one to `connect`.')
      if (begin) await beginRun(http, begin, signal)
      const query = new URLSearchParams({after: String(after)})
      const pass = await ticket()
      if (pass) query.set('ticket', pass)
      const url = `${http.url}${runPath(runId)}/stream?${query}`
      const source = new Source(url, {withCredentials: options.credentials === 'include'})
      try {
        await new Promise<void>((resolve, reject) => {
          signal.addEventListener('abort', () => resolve(), {once: true})
          if (signal.aborted) resolve()
          source.onopen = () => {
            sink.opened()
            sink.alive()
          }
          source.onmessage = ({lastEventId, data}: MessageEvent<string>) => {
            sink.alive()
            try {
              sink.records([recordOfFrame({id: lastEventId, data})])
            } catch (error) {
              reject(error)
            }
          }
          // Its own reconnecting is not used: it says nothing of the reason, and would come with an old ticket.
          source.onerror = () => resolve()
        })
      } finally {
        source.close()
      }
      // An EventSource does not tell why it failed. A plain request does.
      if (!signal.aborted) await http.json(runPath(runId))
    }
  }
}
