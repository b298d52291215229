/** A scripted server in a worker: frames of the native protocol, at a steady rate, whatever the page is busy with. */

import {markdownOf, tokensOf} from './text.js'

export interface Order {
  readonly runId: string
  readonly characters: number
  readonly tokensPerSecond: number
}

/** Milliseconds between two chunks. Each holds the tokens that were due, as a socket gathers them. */
const TICK_MS = 4

const encoder = new TextEncoder()

addEventListener('message', ({data}: MessageEvent<Order>) => {
  const {runId, characters, tokensPerSecond} = data
  const tokens = tokensOf(markdownOf(characters))
  let seq = 0
  const frame = (event: object) => `id: ${++seq}\ndata: ${JSON.stringify(event)}\n\n`
  const send = (frames: string) => {
    const bytes = encoder.encode(frames)
    postMessage(bytes, {transfer: [bytes.buffer]})
  }
  send(
    `retry: 1000\n\n${frame({type: 'start', run_id: runId, source: 'bench', created_at: Date.now() / 1000})}` +
      frame({type: 'message_start', message_id: `${runId}-m`})
  )
  const began = performance.now()
  let sent = 0
  const timer = setInterval(() => {
    const due = Math.min(tokens.length, Math.floor(((performance.now() - began) * tokensPerSecond) / 1000))
    let frames = ''
    for (; sent < due; sent++) frames += frame({type: 'token', message_id: `${runId}-m`, text: tokens[sent]})
    if (sent === tokens.length) {
      clearInterval(timer)
      frames += frame({type: 'message_end', message_id: `${runId}-m`}) + frame({type: 'end', status: 'completed'})
    }
    if (frames) send(frames)
    if (sent === tokens.length) postMessage(null)
  }, TICK_MS)
})
