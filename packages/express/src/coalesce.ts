/** Fewer, larger tokens, for a follower that asked for them. */

import type {ReasoningEvent, TokenEvent} from '@unspool/client'
import type {LogRecord} from './codec.js'
import {encode} from './events.js'

/**
 * Merges neighbouring `token` (or `reasoning`) records of one message, at most `most` into one.
 *
 * The merged record has the last one's seq, so that a follower resumes behind all of them.
 */
export function coalesced(records: readonly LogRecord[], most: number): LogRecord[] {
  const merged: LogRecord[] = []
  let group: {last: LogRecord; event: TokenEvent | ReasoningEvent; count: number} | undefined
  const flush = () => {
    if (group) merged.push(group.count === 1 ? group.last : {...group.last, data: encode(group.event)})
    group = undefined
  }
  for (const record of records) {
    const event = textIn(record)
    if (!event) {
      flush()
      merged.push(record)
    } else if (group && group.count < most && continues(group.event, event)) {
      const text = group.event.text + event.text
      group = {last: record, event: {...event, text}, count: group.count + 1}
    } else {
      flush()
      group = {last: record, event, count: 1}
    }
  }
  flush()
  return merged
}

function textIn({data}: LogRecord): TokenEvent | ReasoningEvent | undefined {
  if (!data.startsWith('{"type":"token"') && !data.startsWith('{"type":"reasoning"')) return undefined
  return JSON.parse(data) as TokenEvent | ReasoningEvent
}

function continues(before: TokenEvent | ReasoningEvent, event: TokenEvent | ReasoningEvent): boolean {
  return before.type === event.type && before.message_id === event.message_id
}
