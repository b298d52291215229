/** What the log keeps, and for how long. */

import {expect, test} from 'vitest'
import {encode} from '../src/events.js'
import {type LoggedRun, MemoryLog, type Retention} from '../src/log.js'

const END = encode({type: 'end', status: 'completed'})
const HOUR = 3_600_000

function logAt(retention: Retention) {
  const time = {now: 1_000_000}
  const log = new MemoryLog({retention, clock: () => time.now})
  const create = (id: string, more: {key?: string; input?: unknown} = {}) => {
    const request = {input: more.input ?? id, config: {}, threadId: 't'}
    return log.create({id, owner: 'ann', request, hash: id, key: more.key})
  }
  const ended = (id: string, more: {key?: string; input?: unknown} = {}) => {
    const run = create(id, more)
    log.append(run, END, 'completed')
    return run
  }
  return {log, time, create, ended}
}

const isKept = (run: LoggedRun) => run.records.length > 0

test('the newest ended runs keep their events, up to the limit', () => {
  const {ended} = logAt({maxRuns: 2})
  const runs = [ended('a'), ended('b')]
  expect(runs.map(isKept)).toEqual([true, true])
  runs.push(ended('c'))
  expect(runs.map(isKept)).toEqual([false, true, true])
})

test('live runs are never touched, and do not count', () => {
  const {log, time, create, ended} = logAt({maxRuns: 1, maxAge: HOUR})
  const live = create('live')
  log.append(live, encode({type: 'step_start', step_id: 's', name: 'n'}))
  const run = ended('a')
  time.now += 10 * HOUR
  expect([isKept(live), isKept(run)]).toEqual([true, true])
  create('next')
  expect([isKept(live), isKept(run)]).toEqual([true, false])
})

test('the order of ending counts, not that of starting', () => {
  const {log, create, ended} = logAt({maxRuns: 1})
  const early = create('started first')
  const run = ended('a')
  log.append(early, END, 'completed')
  expect([isKept(early), isKept(run)]).toEqual([true, false])
})

test('events go when they are older than the limit, and the run itself later', () => {
  // spec: CUR-5
  const {log, time, create, ended} = logAt({maxAge: HOUR, forgetAfter: 2 * HOUR})
  const run = ended('a', {key: 'k', input: 'a title'})
  time.now += HOUR
  create('at the limit')
  expect(run.read(0)).toHaveLength(1)
  time.now += 1
  create('over it')
  expect(() => run.read(0)).toThrow(expect.objectContaining({facts: expect.objectContaining({status: 410})}))
  expect([run.firstSeq, run.lastSeq, run.title, run.request.input]).toEqual([2, 1, 'a title', undefined])
  expect(log.get('a', 'ann')).toBe(run)
  expect(log.find({id: 'new', owner: 'ann', request: run.request, hash: 'a', key: 'k'})).toBe(run)
  time.now += HOUR - 1
  create('at the next limit')
  expect(log.get('a', 'ann')).toBe(run)
  time.now += 1
  create('over that, too')
  expect(() => log.get('a', 'ann')).toThrow('there is no run')
  const newest = ['over that, too', 'at the next limit', 'over it', 'at the limit']
  expect(log.list('ann').map(({id}) => id)).toEqual(newest)
  expect(log.thread('ann', 't').map(({id}) => id)).toEqual(newest.reverse())
  expect(log.find({id: 'new', owner: 'ann', request: run.request, hash: 'other', key: 'k'})).toBeUndefined()
})

test('a read is cut by count and by size, and goes on where it was cut', () => {
  const {log, create} = logAt({})
  const run = create('a')
  const data = encode({type: 'token', message_id: 'm', text: 'x'.repeat(100_000)})
  for (let count = 0; count < 10; count += 1) log.append(run, data)
  expect(run.read(0).map(({seq}) => seq)).toEqual([1, 2, 3])
  expect(run.read(3, 2).map(({seq}) => seq)).toEqual([4, 5])
  expect(run.read(10)).toEqual([])
})
