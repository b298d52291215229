import fc from 'fast-check'
import {expect, test} from 'vitest'
import {
  Fold,
  type KnownEvent,
  LineDecoder,
  recordOfFrame,
  recordOfLine,
  SseDecoder,
  type Transcript
} from '../src/index.js'

const id = fc.constantFrom('a', 'b', 'c')
const text = fc.string({minLength: 1, unit: 'grapheme'})

const middle: fc.Arbitrary<KnownEvent> = fc.oneof(
  fc.record({type: fc.constant('token'), message_id: id, text}),
  fc.record({type: fc.constant('reasoning'), message_id: id, text}),
  fc.record({type: fc.constant('message_start'), message_id: id, role: fc.constantFrom('assistant', 'tool')}),
  fc.record({type: fc.constant('message_end'), message_id: id}),
  fc.record({type: fc.constant('tool_start'), call_id: id, name: text, message_id: id}),
  fc.record({type: fc.constant('tool_args'), call_id: id, text}),
  fc.record({type: fc.constant('tool_call'), call_id: id, name: text, args: fc.jsonValue()}),
  fc.record({type: fc.constant('tool_end'), call_id: id, result: fc.jsonValue()}),
  fc.record({type: fc.constant('step_start'), step_id: id, name: text}),
  fc.record({type: fc.constant('step_end'), step_id: id, name: text}),
  fc.record({type: fc.constant('state'), snapshot: fc.jsonValue()}),
  fc.record({type: fc.constant('data'), name: id, value: fc.jsonValue(), transient: fc.boolean()}),
  fc.record({type: fc.constant('citation'), message_id: id, url: fc.webUrl()}),
  fc.record({type: fc.constant('usage'), input_tokens: fc.nat(), output_tokens: fc.nat()}),
  fc.record({
    type: fc.constant('retry'),
    attempt: fc.integer({min: 2, max: 9}),
    reason: text,
    keep_seq: fc.integer({min: 1, max: 20})
  })
)

/** The events of a run; some end. */
const run: fc.Arbitrary<KnownEvent[]> = fc
  .tuple(fc.array(middle, {maxLength: 40}), fc.boolean())
  .map(([events, ends]) => [
    {type: 'start', run_id: 'r', source: 's', created_at: 1, input: 'hi'},
    ...events,
    ...(ends ? [{type: 'end', status: 'completed'} as const] : [])
  ])
  .map(events => JSON.parse(JSON.stringify(events))) // JSON has no negative zero

/** Cuts bytes where the fractions say. */
function cut(bytes: Uint8Array, at: number[]): Uint8Array[] {
  const places = [0, ...at.map(fraction => Math.floor(fraction * bytes.length)).sort((a, b) => a - b), bytes.length]
  return places.slice(1).map((end, index) => bytes.slice(places[index], end))
}

function folded(events: KnownEvent[]): Transcript {
  const fold = new Fold()
  for (const [index, event] of events.entries()) fold.fold({seq: index + 1, at: 0, event})
  return fold.transcript()
}

const cuts = fc.array(fc.double({min: 0, max: 1, noNaN: true}), {maxLength: 30})

test('server-sent events that are cut at random bytes fold into the same', () => {
  fc.assert(
    fc.property(run, cuts, fc.constantFrom('\n', '\r\n', '\r'), (events, at, end) => {
      const stream = events.map((event, index) => `id: ${index + 1}${end}data: ${JSON.stringify(event)}${end}${end}`)
      const fold = new Fold()
      const decoder = new SseDecoder()
      for (const chunk of cut(new TextEncoder().encode(stream.join('')), at)) {
        for (const frame of decoder.feed(chunk)) fold.fold(recordOfFrame(frame))
        fold.transcript()
      }
      expect(fold.transcript()).toEqual(folded(events))
    })
  )
})

test('lines that are cut at random bytes fold into the same', () => {
  fc.assert(
    fc.property(run, cuts, (events, at) => {
      const stream = events.map((event, index) => `${JSON.stringify({seq: index + 1, at: 1, event})}\n`)
      const fold = new Fold()
      const decoder = new LineDecoder()
      for (const chunk of cut(new TextEncoder().encode(stream.join('')), at)) {
        for (const line of decoder.feed(chunk)) fold.fold(recordOfLine(line))
      }
      expect(fold.transcript()).toEqual(folded(events))
    })
  )
})

test('looking on the way changes nothing', () => {
  fc.assert(
    fc.property(run, events => {
      const fold = new Fold()
      for (const [index, event] of events.entries()) {
        fold.fold({seq: index + 1, at: 0, event})
        fold.transcript()
      }
      expect(fold.transcript()).toEqual(folded(events))
    }),
    {numRuns: 1000}
  )
})

test('a tool call between two texts leaves both, also where nobody looks in between', () => {
  const said = folded([
    {type: 'start', run_id: 'r', source: 's', created_at: 1},
    {type: 'token', message_id: 'm', text: 'before'},
    {type: 'tool_start', call_id: 'c', name: 'tool', message_id: 'm'},
    {type: 'token', message_id: 'm', text: 'after'}
  ])
  expect(said.messages[0]?.parts).toMatchObject([{text: 'before'}, {name: 'tool'}, {text: 'after'}])
})

test('a retry leaves what the events up to keep_seq, and those after it, fold into', () => {
  fc.assert(
    fc.property(run, fc.nat(20), run, (before, keep, after) => {
      const first = before.filter(({type}) => type !== 'retry' && type !== 'end')
      const rest = after.slice(1).filter(({type}) => type !== 'retry')
      const keepSeq = Math.min(1 + keep, first.length)
      const retry: KnownEvent = {type: 'retry', attempt: 2, reason: 'again', keep_seq: keepSeq}
      const {last_seq: _, ...retried} = folded([...first, retry, ...rest])
      const {last_seq: __, ...clean} = folded([...first.slice(0, keepSeq), ...rest])
      expect(retried).toEqual({...clean, attempt: 2})
    })
  )
})
