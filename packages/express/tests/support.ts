/** What the tests share: sources that do what they are told, and readers of what comes. */

import {createConnection, type Socket} from 'node:net'
import {type AgentOptions, type Call, createAgent, type Source, type SourceItem} from '@unspool/express'
import express from 'express'
import {afterEach} from 'vitest'
import {type Serving, serve} from './app.js'

export interface Scripted {
  source: (call: Call) => AsyncGenerator<SourceItem>
  /** What it was asked, in order. */
  calls: Call[]
  /** Fulfilled when a call stands at `stallAt`. */
  reached: Promise<void>
  /** Lets calls that are stalled go on, and later ones not stall. */
  release: () => void
  /** How many calls have been closed, or ended. */
  closed: () => number
}

export interface Script {
  /** Waits before the item with this index, until it is released or closed. */
  stallAt?: number
  /** What to throw instead of the item with that index. */
  fail?: Record<number, unknown>
}

/** Yields these items. */
export function scripted(items: readonly SourceItem[], {stallAt = -1, fail = {}}: Script = {}): Scripted {
  const calls: Call[] = []
  const reached = promised()
  const released = promised()
  let closed = 0
  async function* source(call: Call): AsyncGenerator<SourceItem> {
    calls.push(call)
    try {
      for (const [index, item] of items.entries()) {
        if (index === stallAt) {
          reached.resolve()
          await Promise.race([released.promise, aborted(call.signal)])
        }
        if (index in fail) throw fail[index]
        yield item
      }
    } finally {
      closed += 1
    }
  }
  return {source, calls, reached: reached.promise, release: released.resolve, closed: () => closed}
}

export function promised(): {promise: Promise<void>; resolve: () => void} {
  let resolve = () => {}
  const promise = new Promise<void>(done => {
    resolve = done
  })
  return {promise, resolve}
}

export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve())
  })
}

const closing: (() => Promise<void>)[] = []

/** Serves until the end of the test. */
export async function served(app: express.Express): Promise<Serving> {
  const serving = await serve(app)
  closing.push(serving.close)
  return serving
}

afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** Serves an agent at `/agent` until the end of the test. */
export async function agentAt(source: Source, options: AgentOptions = {}) {
  const app = express()
  const agent = createAgent(source, {onError: () => {}, ...options})
  app.use('/agent', agent.router)
  const {url} = await served(app)
  return {url: `${url}/agent`, agent}
}

export function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const text = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)
  return fetch(url, {method: 'POST', body: text as string, headers})
}

// biome-ignore lint/suspicious/noExplicitAny: JSON, looked into freely
export type Json = any

export async function json(response: Response | Promise<Response>): Promise<Json> {
  return (await response).json()
}

export interface Frame {
  id: string
  event: Json
}

/** The frames of a whole body in the native protocol. */
export function framesIn(body: string): Frame[] {
  return body.split('\n\n').flatMap(frame => {
    const found = /^id: (.*)\ndata: (.*)$/.exec(frame)
    return found ? [{id: found[1] ?? '', event: JSON.parse(found[2] ?? '') as Json}] : []
  })
}

/** Posts to `/stream`, and reads to the end. */
export async function streamed(url: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await post(`${url}/stream`, body, headers)
  const text = await response.text()
  const frames = framesIn(text)
  return {
    status: response.status,
    headers: response.headers,
    text,
    ids: frames.map(({id}) => id),
    events: frames.map(({event}) => event),
    runId: response.headers.get('Unspool-Run-Id') ?? ''
  }
}

export function textOf(events: Json[]): string {
  return events.flatMap(event => (event.type === 'token' ? [event.text] : [])).join('')
}

/** Reads the body until `seen` is in it. */
export async function readUntil(response: Response, seen: string): Promise<ReadableStreamDefaultReader<Uint8Array>> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  const decoder = new TextDecoder()
  for (let text = ''; !text.includes(seen); ) {
    const {done, value} = await reader.read()
    if (done) throw new Error(`the stream ended after: ${text}`)
    text += decoder.decode(value, {stream: true})
  }
  return reader
}

/** A client that sends a request and does not read what comes. */
export async function unread(url: string, path: string, body: unknown): Promise<Socket> {
  const {hostname, port} = new URL(url)
  const text = JSON.stringify(body)
  const socket = createConnection({host: hostname, port: Number(port)})
  socket.pause()
  socket.on('error', () => {})
  socket.write(`POST ${path} HTTP/1.1\r\nHost: test\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`)
  closing.push(async () => void socket.destroy())
  return socket
}
