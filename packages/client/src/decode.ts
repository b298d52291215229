/** Bytes in, records out. Bounded, and indifferent to where the bytes were cut. */

import {createParser, type EventSourceParser, type ParseError} from 'eventsource-parser'
import {UnspoolError} from './errors.js'
import type {KnownEvent, UnspoolRecord} from './events.js'

/** Characters that one event may take up: `spec/PROTOCOL.md`, LIM-2. */
export const MAX_EVENT_CHARS = 8 * 1024 * 1024

export interface SseFrame {
  /** The last id that the stream has given, also in a frame of its own. */
  id: string
  data: string
}

/** Reads server-sent events (WHATWG HTML 9.2). What the end of the stream cuts off is not given out. */
export class SseDecoder {
  // The parser takes off the byte order mark itself; a decoder that did, too, would take off two.
  readonly #text = new TextDecoder('utf-8', {ignoreBOM: true})
  readonly #parser: EventSourceParser
  #frames: SseFrame[] = []
  #id = ''
  #error: ParseError | undefined

  constructor(maxChars = MAX_EVENT_CHARS) {
    this.#parser = createParser({
      maxBufferSize: maxChars,
      onId: id => {
        this.#id = id
      },
      onEvent: ({data}) => this.#frames.push({id: this.#id, data}),
      onError: error => {
        // Unknown fields are to be ignored.
        if (error.type === 'max-buffer-size-exceeded') this.#error = error
      }
    })
  }

  /**
   * Returns the frames that the chunk completes.
   *
   * @throws {UnspoolError} `parse`: an event is over the limit. The decoder is of no use then.
   */
  feed(chunk: Uint8Array): SseFrame[] {
    this.#frames = []
    this.#parser.feed(this.#text.decode(chunk, {stream: true}))
    if (this.#error) throw tooLong(this.#error)
    return this.#frames
  }
}

/** What a decoder says of an event over its limit. */
export function tooLong(cause?: unknown): UnspoolError {
  return new UnspoolError('parse', 'The server sent an event that is over the limit of this client.', {cause})
}

/** Of a frame: its id is the seq, alone or behind the run's id. */
export function recordOfFrame({id, data}: SseFrame): UnspoolRecord {
  return recordOf(id.slice(id.lastIndexOf(':') + 1), undefined, parsed(data))
}

/**
 * Checks what is to be folded. An event of an unknown type passes: the fold skips it.
 *
 * @throws {UnspoolError} `parse`
 */
export function recordOf(seq: unknown, at: unknown, event: unknown): UnspoolRecord {
  const number = typeof seq === 'string' && /^\d+$/.test(seq) ? Number(seq) : seq
  if (!Number.isSafeInteger(number) || (number as number) < 1 || !isEvent(event)) throw malformed()
  return {seq: number as number, at: typeof at === 'number' ? at : Date.now() / 1000, event}
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw malformed(cause)
  }
}

export function malformed(cause?: unknown): UnspoolError {
  return new UnspoolError('parse', 'The server sent something that is not an event.', {cause})
}

/** The members that an event of a known type has to have, all of them text. */
const REQUIRED: {[T in KnownEvent['type']]: readonly string[]} = {
  start: ['run_id', 'source'],
  message_start: ['message_id'],
  token: ['message_id', 'text'],
  reasoning: ['message_id', 'text'],
  message_end: ['message_id'],
  tool_start: ['call_id', 'name'],
  tool_args: ['call_id', 'text'],
  tool_call: ['call_id', 'name'],
  tool_end: ['call_id'],
  step_start: ['step_id', 'name'],
  step_end: ['step_id', 'name'],
  state: [],
  data: ['name'],
  citation: ['message_id'],
  file: ['media_type'],
  usage: [],
  interrupt: ['interrupt_id'],
  retry: ['reason'],
  error: ['code', 'message'],
  end: ['status']
}

function isEvent(value: unknown): value is KnownEvent {
  if (typeof value !== 'object' || value === null) return false
  const event = value as Record<string, unknown>
  if (typeof event.type !== 'string') return false
  if (!Object.hasOwn(REQUIRED, event.type)) return true
  return (
    REQUIRED[event.type as KnownEvent['type']].every(name => typeof event[name] === 'string') &&
    (event.type !== 'retry' || typeof event.keep_seq === 'number')
  )
}
