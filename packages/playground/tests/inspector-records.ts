import type {KnownEvent, UnspoolRecord} from '@unspool/client'

/** Records from events and the times at which they were committed, in seconds since the start of the run. */
export function records(...events: [at: number, event: KnownEvent][]): UnspoolRecord[] {
  return events.map(([at, event], index) => ({seq: index + 1, at: 1000 + at, event}))
}

export const start: KnownEvent = {type: 'start', run_id: 'r1', source: 'agent', created_at: 1000, input: 'hello'}

export function token(text: string, message_id = 'm1'): KnownEvent {
  return {type: 'token', message_id, text}
}

export function end(status: 'completed' | 'cancelled' | 'failed' = 'completed'): KnownEvent {
  return {type: 'end', status}
}
