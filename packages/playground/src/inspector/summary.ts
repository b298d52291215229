import type {KnownEvent} from '@unspool/client'
import {brief, duration} from './format.js'

/** One line that says what happened, for an event of any type, also one of a newer server. */
export function summaryOf(event: KnownEvent): string {
  switch (event.type) {
    case 'start':
      return brief(`${event.source}${event.attempt ? `, attempt ${event.attempt}` : ''}: ${inline(event.input)}`)
    case 'message_start':
      return [event.role ?? 'assistant', event.name].filter(Boolean).join(' · ')
    case 'token':
    case 'reasoning':
    case 'tool_args':
      return quoted(event.text)
    case 'message_end':
      return event.finish_reason ?? ''
    case 'tool_start':
      return event.name
    case 'tool_call':
      return brief(`${event.name}(${inline(event.args)})`)
    case 'tool_end':
      return brief(event.error === undefined ? inline(event.result) : `failed: ${event.error}`)
    case 'step_start':
    case 'step_end':
      return event.name
    case 'state':
      return event.patch ? `${event.patch.length} changes` : brief(inline(event.snapshot))
    case 'data':
      return brief(`${event.name}: ${inline(event.value)}`)
    case 'citation':
      return brief(event.title ?? event.url ?? event.text ?? '')
    case 'file':
      return brief([event.name, event.media_type, event.url].filter(Boolean).join(' · '))
    case 'usage':
      return `${event.input_tokens ?? 0} in, ${event.output_tokens ?? 0} out${event.model ? ` · ${event.model}` : ''}`
    case 'interrupt':
      return brief(inline(event.value))
    case 'retry':
      return brief(`attempt ${event.attempt}: ${event.reason}; what came after ${event.keep_seq} is void`)
    case 'error':
      return brief(`${event.code}: ${event.message}`)
    case 'end':
      return event.metrics ? `${event.status} after ${duration(event.metrics.elapsed_ms)}` : event.status
    default:
      return brief(inline(event))
  }
}

/** A value on one line: text as it is, anything else as JSON. */
export function inline(value: unknown): string {
  if (value === undefined) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function quoted(text: string): string {
  const shown = JSON.stringify(text.slice(0, 160))
  return text.length > 160 ? `${shown.slice(0, -1)}…"` : shown
}
