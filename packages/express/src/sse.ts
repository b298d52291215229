/** Server-sent events: the seq as `id`, the event's JSON as `data`, and no `event` field. */

import type {Codec} from './codec.js'

export interface SseOptions {
  /** Put before each id, for a client that learns of its run only from the ids: EventSource. */
  runId?: string | undefined
  /** What EventSource waits before it reconnects, in milliseconds. Default 1000. */
  retry?: number | undefined
}

export function sse({runId, retry = 1000}: SseOptions = {}): Codec {
  const head = runId === undefined ? 'id: ' : `id: ${runId}:`
  return {
    mediaType: 'text/event-stream; charset=utf-8',
    opening: `retry: ${retry}\n\n`,
    heartbeat: ':\n\n',
    encode: records => {
      let text = ''
      for (const {seq, data} of records) text += `${head}${seq}\ndata: ${data}\n\n`
      return text
    }
  }
}
