import type {KnownEvent} from '@unspool/client'
import {expect, test} from 'vitest'
import {blocksOf, brief, duration, offset} from '../src/inspector/format.js'
import {advance, Replay} from '../src/inspector/replay.js'
import {RunLog} from '../src/inspector/run-log.js'
import {EventRows} from '../src/inspector/search.js'
import {summaryOf} from '../src/inspector/summary.js'
import {Rows} from '../src/inspector/window.js'
import {end, records, start, token} from './inspector-records.js'

test('search finds text in any member, whatever its capitals, and goes around the ends', () => {
  const events = new EventRows(records([0, start], [1, token('Alpha')], [2, token('beta')], [3, token('ALPHA again')]))
  events.search('alpha')
  expect(events.matches).toEqual([1, 3])
  expect([events.step(0, 1), events.step(1, 1), events.step(3, 1)]).toEqual([0, 1, 0])
  expect([events.step(3, -1), events.step(1, -1), events.step(0, -1)]).toEqual([0, 1, 1])
  events.search('"message_id":"m1"')
  expect(events.matches).toEqual([1, 2, 3])
  events.search('')
  expect(events.matches).toEqual([])
  expect(events.step(0, 1)).toBe(-1)
})

test('a filter keeps the chosen types, and matches are counted among those', () => {
  const all = records([0, start], [1, token('a')], [2, {type: 'reasoning', message_id: 'm1', text: 'a'}])
  const events = new EventRows(all)
  events.search('a')
  events.filter(new Set(['token']))
  expect([events.rows, events.matches]).toEqual([[1], [0]])
  all.push({seq: 4, at: 1003, event: token('later, a')})
  events.update()
  expect([events.rows, events.matches]).toEqual([
    [1, 3],
    [0, 1]
  ])
  events.filter(new Set())
  expect(events.rows).toEqual([0, 1, 2, 3])
})

test('the window shows the rows in view, and a few around them', () => {
  const rows = new Rows(20_000, 28)
  expect(rows.height).toBe(560_000)
  expect(rows.range(28_000, 280, 2)).toEqual({first: 998, last: 1013})
  expect(rows.range(-50, 280, 2)).toEqual({first: 0, last: 11})
  expect(rows.range(1e9, 280, 2)).toEqual({first: 19_997, last: 20_000})
  expect(new Rows(0, 28).range(0, 280)).toEqual({first: 0, last: 0})
})

test('rows under an open one move down by its panel, and each pixel belongs to one row', () => {
  const rows = new Rows(
    6,
    10,
    new Map([
      [1, 35],
      [4, 20],
      [99, 5]
    ])
  )
  expect(rows.height).toBe(6 * 10 + 35 + 20)
  expect([0, 1, 2, 4, 5].map(index => rows.box(index))).toEqual([
    {top: 0, height: 10},
    {top: 10, height: 45},
    {top: 55, height: 10},
    {top: 75, height: 30},
    {top: 105, height: 10}
  ])
  for (let y = 0; y < rows.height; y++) {
    const {top, height} = rows.box(rows.at(y))
    expect(y >= top && y < top + height).toBe(true)
  }
})

test('revealing a row scrolls no further than needed', () => {
  const rows = new Rows(100, 10)
  expect(rows.reveal(5, 30, 100)).toBe(30)
  expect(rows.reveal(2, 30, 100)).toBe(20)
  expect(rows.reveal(50, 30, 100)).toBe(410)
})

test('each type of event has a summary on one line, also one of a newer server', () => {
  const events: [KnownEvent, string][] = [
    [start, 'agent: hello'],
    [token('a\n"b"'), '"a\\n\\"b\\""'],
    [{type: 'tool_call', call_id: 't', name: 'add', args: {a: 1}}, 'add({"a":1})'],
    [{type: 'tool_end', call_id: 't', error: 'too big'}, 'failed: too big'],
    [{type: 'error', code: 'provider', message: 'no'}, 'provider: no'],
    [{type: 'end', status: 'completed', metrics: {tokens: 1, elapsed_ms: 1240}}, 'completed after 1.24 s'],
    [{type: 'state', patch: [{op: 'remove', path: '/a'}]}, '1 changes'],
    [{type: 'hologram', x: 1} as unknown as KnownEvent, '{"type":"hologram","x":1}']
  ]
  for (const [event, summary] of events) expect(summaryOf(event)).toBe(summary)
  expect(summaryOf(token('x'.repeat(5000))).length).toBeLessThan(200)
  expect(brief('a \n b')).toBe('a b')
})

test('durations are read at a glance', () => {
  expect([0, 0.44, 9.96, 240, 999.6, 1240, 59_999, 123_000, 3_720_000].map(duration)).toEqual([
    '0 ms',
    '0.4 ms',
    '10 ms',
    '240 ms',
    '1 s',
    '1.24 s',
    '1 min 00 s',
    '2 min 03 s',
    '1 h 02 min'
  ])
  expect(offset(12.0341)).toBe('+12.034')
})

test('a log skips what it has, and its times never fall', () => {
  const log = new RunLog()
  const all = records([0, start], [2, token('a')], [1, token('b')], [3, end()])
  for (const record of [...all.slice(0, 3), ...all]) log.add(record)
  expect(log.records.length).toBe(4)
  expect(log.times).toEqual([0, 2, 2, 3])
  expect([...log.counts]).toEqual([
    ['start', 1],
    ['token', 2],
    ['end', 1]
  ])
  expect(log.end?.status).toBe('completed')
})

test('a replay shows the run as it was at any moment, forward and back', () => {
  const all = records(
    [0, start],
    [1, token('one ')],
    [2, token('lost')],
    [3, {type: 'retry', attempt: 2, reason: 'overloaded', keep_seq: 2}],
    [4, token('two')],
    [5, end()]
  )
  const replay = new Replay(
    all,
    all.map(({at}) => at - 1000)
  )
  const textAt = (seconds: number): string =>
    replay
      .transcriptAt(replay.positionAt(seconds))
      .messages.filter(message => message.role === 'assistant')
      .flatMap(message => message.parts.map(part => (part.type === 'text' ? part.text : '')))
      .join('')
  expect([0.5, 1, 2.5, 3, 4, 2, 9].map(textAt)).toEqual([
    '',
    'one ',
    'one lost',
    'one ',
    'one two',
    'one lost',
    'one two'
  ])
  expect(replay.timeAt(replay.positionAt(4.5))).toBe(4)
  expect([replay.positionAt(-1), replay.timeAt(0), replay.timeAt(99)]).toEqual([0, 0, 5])
})

test('playback goes at its speed, and not past the end', () => {
  expect(advance(1, 500, 2, 10)).toBe(2)
  expect(advance(9.9, 500, 2, 10)).toBe(10)
  expect(advance(0, 16, Number.POSITIVE_INFINITY, 10)).toBe(10)
})

test('long text is cut at its lines, and what is added changes the last block only', () => {
  const text = Array.from({length: 300}, (_, line) => `line ${line} of a long text`).join('\n')
  const blocks = blocksOf(text)
  expect(blocks.join('\n')).toBe(text)
  expect(blocks.length).toBeGreaterThan(2)
  expect(blocksOf(`${text}\nmore`).slice(0, blocks.length - 1)).toEqual(blocks.slice(0, -1))
  expect(blocksOf('x'.repeat(9000))).toHaveLength(1)
  expect(blocksOf('')).toEqual([''])
})
