import {expect, test} from 'vitest'
import {barMs, Timeline, ticks} from '../src/inspector/timeline.js'
import {end, records, start, token} from './inspector-records.js'

function timelineOf(...events: Parameters<typeof records>): Timeline {
  const timeline = new Timeline()
  for (const record of records(...events)) timeline.add(record)
  return timeline
}

function drawn(timeline: Timeline): unknown[] {
  return timeline.rows().map(({kind, name, depth, start, end, state}) => [kind, name, depth, start, end, state])
}

test('steps are nested by their parents, and messages and tools lie in the step that began last', () => {
  const timeline = timelineOf(
    [0, start],
    [1, {type: 'step_start', step_id: 'a', name: 'graph'}],
    [2, {type: 'step_start', step_id: 'b', name: 'agent', parent_id: 'a'}],
    [3, token('x')],
    [4, {type: 'tool_start', call_id: 't', name: 'search', message_id: 'm1'}],
    [5, {type: 'message_end', message_id: 'm1'}],
    [6, {type: 'tool_end', call_id: 't', result: 1}],
    [7, {type: 'step_end', step_id: 'b', name: 'agent', parent_id: 'a'}],
    [8, {type: 'step_end', step_id: 'a', name: 'graph'}],
    [9, end()]
  )
  expect(drawn(timeline)).toEqual([
    ['step', 'graph', 0, 1, 8, 'done'],
    ['step', 'agent', 1, 2, 7, 'done'],
    ['message', 'assistant', 2, 3, 5, 'done'],
    ['tool', 'search', 2, 4, 6, 'done']
  ])
})

test('a message lies in the step of the node that speaks, also where steps run side by side', () => {
  const timeline = timelineOf(
    [0, start],
    [1, {type: 'step_start', step_id: 'a', name: 'writer'}],
    [1, {type: 'step_start', step_id: 'b', name: 'critic'}],
    [2, {type: 'message_start', message_id: 'm', name: 'writer'}]
  )
  expect(timeline.rows().map(bar => [bar.name, bar.parent?.id])).toEqual([
    ['writer', undefined],
    ['writer', 'a'],
    ['critic', undefined]
  ])
})

test('a bar that runs is as long as it has run so far', () => {
  const [bar] = timelineOf([0, start], [1, token('x')], [1.5, token('y')]).rows()
  expect(bar).toMatchObject({state: 'running', pieces: 2, ready: 1})
  expect(bar && barMs(bar, 4)).toBe(3000)
})

test('the time that arguments take is told from the time that the tool takes', () => {
  const [bar] = timelineOf(
    [0, start],
    [1, {type: 'tool_start', call_id: 't', name: 'search'}],
    [2, {type: 'tool_args', call_id: 't', text: '{}'}],
    [3, {type: 'tool_call', call_id: 't', name: 'search', args: {}}],
    [5, {type: 'tool_end', call_id: 't', error: 'no network'}]
  ).rows()
  expect(bar).toMatchObject({start: 1, ready: 3, end: 5, state: 'failed', detail: 'no network'})
})

test('a retry voids what began after its keep_seq, and opens again what had ended', () => {
  const timeline = timelineOf(
    [0, start],
    [1, {type: 'step_start', step_id: 'a', name: 'agent'}],
    [2, token('lost')],
    [3, {type: 'step_end', step_id: 'a', name: 'agent'}],
    [4, {type: 'retry', attempt: 2, reason: 'overloaded', keep_seq: 2}],
    [5, token('kept')],
    [6, {type: 'step_end', step_id: 'a', name: 'agent'}],
    [7, end()]
  )
  expect(drawn(timeline)).toEqual([
    ['step', 'agent', 0, 1, 6, 'done'],
    ['message', 'assistant', 1, 2, 4, 'void'],
    ['message', 'assistant', 1, 5, 7, 'done']
  ])
  expect(timeline.marks).toEqual([{kind: 'retry', seq: 5, time: 4, label: 'Attempt 2: overloaded'}])
})

test('what a retry opened again is as long as it has run so far', () => {
  const [bar] = timelineOf(
    [0, start],
    [1, {type: 'step_start', step_id: 'a', name: 'agent'}],
    [3, {type: 'step_end', step_id: 'a', name: 'agent'}],
    [4, {type: 'retry', attempt: 2, reason: 'overloaded', keep_seq: 2}]
  ).rows()
  expect(bar?.state).toBe('running')
  expect(bar && barMs(bar, 9)).toBe(8000)
})

test('a tool lies in the step of the message that called it, also where another step began later', () => {
  const timeline = timelineOf(
    [0, start],
    [1, {type: 'step_start', step_id: 'a', name: 'writer'}],
    [1, {type: 'message_start', message_id: 'm', name: 'writer'}],
    [2, {type: 'step_start', step_id: 'b', name: 'critic'}],
    [3, {type: 'tool_start', call_id: 't', name: 'search', message_id: 'm'}],
    [4, {type: 'step_end', step_id: 'a', name: 'writer'}],
    [5, {type: 'tool_start', call_id: 'u', name: 'late', message_id: 'm'}]
  )
  const tools = timeline.rows().filter(bar => bar.kind === 'tool')
  expect(tools.map(bar => [bar.name, bar.parent?.name])).toEqual([
    ['search', 'writer'],
    ['late', 'critic']
  ])
})

test('a clock that was set back makes no bar of negative length', () => {
  const [bar] = timelineOf([0, start], [5, token('a')], [2, {type: 'message_end', message_id: 'm1'}]).rows()
  expect([bar?.start, bar?.end]).toEqual([5, 5])
})

test('what the end of a cancelled run cuts off is told from what was done', () => {
  expect(drawn(timelineOf([0, start], [1, token('x')], [2, end('cancelled')]))).toEqual([
    ['message', 'assistant', 0, 1, 2, 'cut']
  ])
})

test('ends without beginnings, a step that is its own parent and events of a newer server do no harm', () => {
  const unknown = {type: 'hologram'} as unknown as Parameters<typeof records>[0][1]
  const timeline = timelineOf(
    [0, start],
    [1, unknown],
    [1, {type: 'step_end', step_id: 'x', name: 'late'}],
    [2, {type: 'tool_end', call_id: 'y', result: 1}],
    [3, {type: 'step_start', step_id: 'z', name: 'own', parent_id: 'z'}]
  )
  expect(drawn(timeline)).toEqual([
    ['step', 'late', 0, 1, 1, 'done'],
    ['tool', 'tool', 0, 2, 2, 'done'],
    ['step', 'own', 0, 3, undefined, 'running']
  ])
})

test('the ruler has round steps, and not too many', () => {
  expect(ticks(10, 5)).toEqual([0, 2, 4, 6, 8, 10])
  expect(ticks(0)).toEqual([0])
  for (const seconds of [0.003, 0.7, 9, 61, 4000]) expect(ticks(seconds).length).toBeLessThanOrEqual(9)
})
