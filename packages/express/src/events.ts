/** Events as JSON: one line, `type` first, what is at its default left out. */

import type {EndEvent, KnownEvent, RetryEvent, StartEvent} from '@unspool/client'
import {InvalidInput} from './errors.js'
import {FIELDS} from './fields.js'

/** What a source may say: all but `start`, `retry` and `end`, which belong to the run. */
export type SourceEvent = Exclude<KnownEvent, StartEvent | RetryEvent | EndEvent>

/** Text of the current message, or an event. */
export type SourceItem = SourceEvent | string

export type EndStatus = 'completed' | 'failed' | 'cancelled' | 'interrupted'

/** The largest event, as JSON in UTF-8: `spec/PROTOCOL.md`, LIM-1. */
export const MAX_EVENT_BYTES = 4 * 1024 * 1024

/**
 * The JSON of an event. An event of an unknown type is passed on as it is.
 *
 * A lone surrogate, which UTF-8 cannot say, becomes U+FFFD; a number that is not finite becomes null.
 *
 * @throws {InvalidInput} It is no event, a field is missing or wrong, it is not plain data, or it is over `maxBytes`.
 */
export function encode(event: unknown, maxBytes: number = MAX_EVENT_BYTES): string {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
    throw new InvalidInput('an event must be an object')
  }
  const {type} = event as {type?: unknown}
  if (typeof type !== 'string' || type === '') throw new InvalidInput('an event must have a `type`')
  const data = Object.hasOwn(FIELDS, type)
    ? stringify(type, known(type, event as Record<string, unknown>))
    : unknown(type, event)
  // A UTF-16 unit is three bytes of UTF-8 at most: most events are not measured.
  const bytes = data.length * 3 > maxBytes ? Buffer.byteLength(data) : 0
  if (bytes > maxBytes)
    throw new InvalidInput(`a '${type}' event of ${inWords(bytes)} bytes is over ${inWords(maxBytes)}`)
  return data
}

function known(type: string, event: Record<string, unknown>): Record<string, unknown> {
  const kept: Record<string, unknown> = {type}
  for (const {name, check, expected, required, fallback} of FIELDS[type] ?? []) {
    const value = event[name]
    if (value === undefined || value === null) {
      if (required) throw new InvalidInput(`a '${type}' event must have \`${name}\``)
    } else if (!check(value)) {
      throw new InvalidInput(`\`${name}\` of a '${type}' event must be ${expected}`)
    } else if (value !== fallback) {
      kept[name] = value
    }
  }
  return kept
}

/** The type comes first whatever the other members are called: JSON.stringify puts those that are numbers before it. */
function unknown(type: string, event: object): string {
  const rest = stringify(type, {...event, type: undefined})
  return `{"type":${JSON.stringify(type)}${rest === '{}' ? '' : ','}${rest.slice(1)}`
}

function stringify(type: string, value: object): string {
  let data: string | undefined
  try {
    data = JSON.stringify(value)
    // A lone surrogate is written as an escape.
    if (data?.includes('\\ud')) data = JSON.stringify(value, (_, item: unknown) => mended(item))
  } catch (error) {
    const reason = error instanceof RangeError ? 'it is nested too deeply' : 'it is not plain data'
    throw new InvalidInput(`a '${type}' event cannot be written as JSON: ${reason}`)
  }
  if (!data?.startsWith('{'))
    throw new InvalidInput(`a '${type}' event cannot be written as JSON: it is not plain data`)
  return data
}

function mended(value: unknown): unknown {
  if (typeof value === 'string') return wellFormed(value)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [wellFormed(key), item]))
}

function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\u{fffd}')
}

function inWords(count: number): string {
  return count.toLocaleString('en-US')
}
