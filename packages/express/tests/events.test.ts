/** Events as they are written, and what of a source's items is refused. */

import {expect, test} from 'vitest'
import {encode} from '../src/events.js'
import {agentAt, scripted, streamed, textOf} from './support.js'

test('the type comes first, and what is at its default is left out', () => {
  // spec: EVT-3
  expect(encode({name: null, role: 'assistant', message_id: 'm', type: 'message_start'})).toBe(
    '{"type":"message_start","message_id":"m"}'
  )
  expect(encode({cached_tokens: 0, input_tokens: 2, type: 'usage'})).toBe('{"type":"usage","input_tokens":2}')
  expect(encode({type: 'data', name: 'n', value: null, transient: false})).toBe('{"type":"data","name":"n"}')
  expect(encode({type: 'token', message_id: 'm', text: 'a\r\nb'})).toBe(
    '{"type":"token","message_id":"m","text":"a\\r\\nb"}'
  )
})

test('an event of an unknown type is passed on unchanged, its type first', () => {
  // spec: EVT-4
  expect(encode({1: 'a', type: 'from_the_future', x: {y: null}})).toBe(
    '{"type":"from_the_future","1":"a","x":{"y":null}}'
  )
  expect(encode({type: 'nothing_else'})).toBe('{"type":"nothing_else"}')
})

test.each([
  [null, 'must be an object'],
  [[], 'must be an object'],
  [{}, 'must have a `type`'],
  [{type: 5}, 'must have a `type`'],
  [{type: ''}, 'must have a `type`'],
  [{type: 'token', message_id: 'm'}, 'must have `text`'],
  [{type: 'token', message_id: 'm', text: ''}, '`text` of a '],
  [{type: 'token', message_id: 5, text: 'a'}, '`message_id` of a '],
  [{type: 'usage', input_tokens: 1.5}, '`input_tokens` of a '],
  [{type: 'state', patch: [{op: 'shrug', path: ''}]}, '`patch` of a '],
  [{type: 'state', patch: [{op: 'add'}]}, '`patch` of a '],
  [{type: 'data', name: 'n', value: 1n}, 'not plain data'],
  [{type: 'other', toJSON: () => 'text'}, 'not plain data']
])('what is no event is refused: case %#', (event, message) => {
  // spec: EVT-5
  expect(() => encode(event)).toThrow(message)
})

test('a cyclic value and one that is nested too deeply are refused', () => {
  // spec: EVT-5
  const cyclic: Record<string, unknown> = {}
  cyclic.self = cyclic
  let deep: unknown = 1
  for (let depth = 0; depth < 100_000; depth += 1) deep = [deep]
  expect(() => encode({type: 'data', name: 'n', value: cyclic})).toThrow('not plain data')
  expect(() => encode({type: 'data', name: 'n', value: deep})).toThrow('nested too deeply')
})

test('a lone surrogate becomes U+FFFD, also in a name; a pair stays, and so does text that looks like an escape', () => {
  const written = encode({type: 'data', name: 'a\ud800', value: {'\udc00k': ['😀\ud83d', '\\ud800']}})
  expect(JSON.parse(written)).toEqual({type: 'data', name: 'a\ufffd', value: {'\ufffdk': ['😀\ufffd', '\\ud800']}})
})

test('an event at the limit is written, and one byte more is refused', () => {
  // spec: LIM-1
  const limit = 4 * 1024 * 1024
  const frame = encode({type: 'data', name: 'n', value: ''}).length
  const value = 'é'.repeat((limit - frame) / 2 - 0.5)
  const rest = 'a'.repeat(limit - frame - Buffer.byteLength(value))
  expect(Buffer.byteLength(encode({type: 'data', name: 'n', value: value + rest}))).toBe(limit)
  expect(() => encode({type: 'data', name: 'n', value: `${value}${rest}a`})).toThrow('is over 4,194,304')
})

test('an event over the limit fails its run with validation', async () => {
  // spec: LIM-1
  const message_id = 'm'
  const wide = 'a'.repeat(100 - encode({type: 'token', message_id, text: 'a'}).length + 1)
  const {source} = scripted([
    {type: 'token', message_id, text: wide},
    {type: 'token', message_id, text: `${wide}a`}
  ])
  const {url} = await agentAt(source, {maxEventBytes: 100})
  const {events} = await streamed(url, {input: 1})
  expect(textOf(events)).toBe(wide)
  expect(events.at(-2)).toMatchObject({type: 'error', code: 'validation'})
  expect(events.at(-1)).toMatchObject({type: 'end', status: 'failed'})
})

test.each(['start', 'retry', 'end'])('a source that says %s itself fails its run', async type => {
  // spec: EVT-1, EVT-2
  const wrong = {type, status: 'completed', run_id: 'x', attempt: 1} as never
  const {url} = await agentAt(scripted(['a', wrong, 'b']).source)
  const {events} = await streamed(url, {input: 1})
  expect(events.filter(event => event.type === 'start' || event.type === 'end')).toHaveLength(2)
  expect(events.at(-2)).toMatchObject({type: 'error', code: 'validation', message: expect.stringContaining(type)})
  expect(events.at(-1)).toMatchObject({type: 'end', status: 'failed'})
})

test('what a source opened is closed at a normal end, the innermost first', async () => {
  const {source} = scripted([
    {type: 'step_start', step_id: 's', name: 'plan', parent_id: 'p'},
    'a',
    {type: 'token', message_id: 'other', text: 'x'},
    {type: 'tool_start', call_id: 'c', name: 't'}
  ])
  const {url} = await agentAt(source)
  const {events} = await streamed(url, {input: 1, run_id: 'a-run-with-twelve-at-its-end'})
  const first = 'e-at-its-end-1'
  expect(events.slice(1, -1)).toEqual([
    {type: 'step_start', step_id: 's', name: 'plan', parent_id: 'p'},
    {type: 'message_start', message_id: first},
    {type: 'token', message_id: first, text: 'a'},
    {type: 'message_start', message_id: 'other'},
    {type: 'token', message_id: 'other', text: 'x'},
    {type: 'tool_start', call_id: 'c', name: 't'},
    {type: 'tool_end', call_id: 'c'},
    {type: 'message_end', message_id: 'other'},
    {type: 'message_end', message_id: first},
    {type: 'step_end', step_id: 's', name: 'plan', parent_id: 'p'}
  ])
})

test('text belongs to the message that was started last, and none is made of empty text', async () => {
  const {source} = scripted([
    '',
    {type: 'message_start', message_id: 'm', name: 'writer'},
    'a',
    {type: 'reasoning', message_id: 'm', text: ''},
    {type: 'message_end', message_id: 'm'},
    'b'
  ])
  const {url} = await agentAt(source)
  const {events} = await streamed(url, {input: 1})
  expect(events.slice(1, 4).map(({type, message_id}) => [type, message_id])).toEqual([
    ['message_start', 'm'],
    ['token', 'm'],
    ['message_end', 'm']
  ])
  expect(events[5]).toMatchObject({type: 'token', text: 'b'})
  expect(events[5].message_id).not.toBe('m')
})
