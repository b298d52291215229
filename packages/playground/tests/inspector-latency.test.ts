import {expect, test} from 'vitest'
import {Latency} from '../src/inspector/latency.js'
import {records, start, token} from './inspector-records.js'

function latencyOf(...events: Parameters<typeof records>): Latency {
  const latency = new Latency()
  for (const record of records(...events)) latency.add(record)
  return latency
}

test('the first token, the longest gap and the speed are those of the commits', () => {
  const latency = latencyOf([0, start], [0.5, token('a')], [1, token('b')], [3, token('c')], [3.5, token('d')])
  expect(latency.firstMs).toBeCloseTo(500)
  expect(latency.longestMs).toBeCloseTo(2000)
  expect(latency.longestAt).toBeCloseTo(3)
  expect(latency.piecesPerSecond).toBeCloseTo(1)
  expect(latency.histogram().map(({from, count}) => [from, count])).toEqual([
    [500, 2],
    [1000, 0],
    [2000, 1]
  ])
})

test('the time between two messages is no gap, nor is one between messages that are written at once', () => {
  const latency = latencyOf(
    [0, start],
    [1, token('a', 'x')],
    [1.1, token('b', 'y')],
    [1.2, token('c', 'x')],
    [1.2, {type: 'message_end', message_id: 'x'}],
    [9, token('d', 'x')]
  )
  expect(latency.gaps).toBe(1)
  expect(latency.longestMs).toBeCloseTo(200)
})

test('quantiles are right to one percent', () => {
  const latency = new Latency()
  let at = 0
  const tokens = Array.from({length: 1001}, (_, index): [number, ReturnType<typeof token>] => {
    at += index / 1000
    return [at, token('x')]
  })
  for (const record of records(...tokens)) latency.add(record)
  for (const q of [0.1, 0.5, 0.95]) expect(Math.abs((latency.quantile(q) ?? 0) / (q * 1000) - 1)).toBeLessThan(0.012)
  expect(latency.quantile(1)).toBeCloseTo(1000)
  expect(new Latency().quantile(0.5)).toBeUndefined()
})

test('a chart has at most 240 spans however long the run is, and no piece is lost', () => {
  const latency = new Latency()
  const minutes = Array.from({length: 600}, (_, index): [number, ReturnType<typeof token>] => [index * 7, token('x')])
  for (const record of records(...minutes)) latency.add(record)
  const {times, rates, means, longest} = latency.series()
  expect(times.length).toBeLessThanOrEqual(240)
  const width = times[1] ?? 0
  expect(rates.reduce((sum, rate) => sum + rate * width, 0)).toBeCloseTo(600)
  expect(Math.max(...longest.map(Number))).toBeCloseTo(7000)
  expect(means.every(mean => mean === null || Math.abs(mean - 7000) < 1)).toBe(true)
})

test('the longest gap of a span is the longest of those that it was made of', () => {
  const latency = latencyOf(
    [0, token('a')],
    [0.01, token('b')],
    [0.12, token('c')],
    [0.25, token('d')],
    [100, token('e')]
  )
  const {times, longest} = latency.series()
  expect(times[1]).toBeCloseTo(0.8)
  expect(longest[0]).toBeCloseTo(130)
})

test('a clock that was set back makes no negative gap', () => {
  const latency = latencyOf([0, start], [5, token('a')], [2, token('b')], [6, token('c')])
  expect(latency.quantile(0)).toBe(0)
  expect(latency.longestMs).toBeCloseTo(1000)
})
