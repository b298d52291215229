/** The scripted server as a `fetch`, and what it sends as tokens for those who do without our client. */

import {recordOfFrame, SseDecoder} from '@unspool/client'
import type {Order} from './server.js'

/** Answers a request to start a run with the stream that the worker sends. */
export function scriptedFetch(order: Omit<Order, 'runId'>): typeof fetch {
  return async (_input, init) => {
    const {run_id: runId} = JSON.parse(String(init?.body)) as {run_id: string}
    const worker = new Worker(new URL('./server.ts', import.meta.url), {type: 'module'})
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        worker.onmessage = ({data}: MessageEvent<Uint8Array | null>) => {
          if (data) controller.enqueue(data)
          else {
            controller.close()
            worker.terminate()
          }
        }
        worker.postMessage({runId, ...order} satisfies Order)
      },
      cancel: () => worker.terminate()
    })
    return new Response(body, {headers: {'Content-Type': 'text/event-stream'}})
  }
}

/** Starts a run, and calls `take` with the tokens of each chunk: the same bytes and the same parser as ours. */
export async function readTokens(send: typeof fetch, take: (tokens: string[]) => void): Promise<void> {
  const response = await send('/stream', {method: 'POST', body: JSON.stringify({run_id: crypto.randomUUID()})})
  const reader = response.body?.getReader()
  const decoder = new SseDecoder()
  for (;;) {
    const {done, value} = (await reader?.read()) ?? {done: true, value: undefined}
    if (done || !value) return
    const events = decoder.feed(value).map(frame => recordOfFrame(frame).event)
    const tokens = events.map(event => (event.type === 'token' && 'text' in event ? String(event.text) : ''))
    take(tokens.filter(Boolean))
  }
}
