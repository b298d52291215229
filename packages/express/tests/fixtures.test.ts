/** The fixtures that every implementation obeys. */

import {readFileSync} from 'node:fs'
import {describe, expect, test} from 'vitest'
import {parseCursor} from '../src/cursor.js'
import {encode} from '../src/events.js'
import {MemoryLog} from '../src/log.js'
import {ndjson} from '../src/ndjson.js'
import {sse} from '../src/sse.js'
import {kept} from '../src/threads.js'
import {transcriptOf, wireTranscript} from '../src/transcript.js'
import type {Json} from './support.js'

function cases(name: string): Json[] {
  return JSON.parse(readFileSync(new URL(`../../../spec/fixtures/${name}.json`, import.meta.url), 'utf8')).cases
}

describe('records are these bytes', () => {
  // spec: SSE-1, SSE-2, NDJSON-1, CUR-3
  test.each(cases('native'))('$name', ({run_id, records, ...expected}) => {
    const native = records.map(({seq, at, event}: Json) => ({seq, at, data: event}))
    const codec = sse({runId: run_id})
    expect(codec.opening + codec.encode(native)).toBe(expected.sse)
    expect(ndjson.opening + ndjson.encode(native)).toBe(expected.ndjson)
  })
})

describe('a cursor means this', () => {
  // spec: CUR-1
  test.each(cases('cursors'))('$text', ({text, cursor}) => {
    if (cursor) expect(parseCursor(text)).toEqual({runId: cursor.run_id, seq: cursor.seq})
    else
      expect(() => parseCursor(text)).toThrow(
        expect.objectContaining({facts: expect.objectContaining({code: 'cursor_unknown', status: 409})})
      )
  })
})

const REQUEST = {input: null, config: {}}

describe('events fold into this transcript, and are written as they were', () => {
  // spec: EVT-3, EVT-4
  test.each(cases('transcript'))('$name', ({events, transcript}) => {
    const log = new MemoryLog()
    const run = log.create({id: 'r1', owner: 'ann', request: REQUEST, hash: '', key: undefined})
    for (const event of events) log.append(run, encode(event))
    expect(run.records.map(({data}) => JSON.parse(data))).toEqual(events)
    expect(wireTranscript(transcriptOf(run))).toEqual(transcript)
  })
})

describe('of the runs of a thread these count', () => {
  // spec: THR-1
  test.each(cases('threads'))('$name', ({runs, kept: expected}) => {
    const log = new MemoryLog()
    for (const {id, replaces} of runs) {
      const request = {...REQUEST, threadId: 't', replaces}
      const run = log.create({id, owner: 'ann', request, hash: id, key: undefined})
      log.append(run, encode({type: 'end', status: 'completed'}), 'completed')
    }
    expect(kept(log.thread('ann', 't')).map(({id}) => id)).toEqual(expected)
  })
})
