import {readFileSync} from 'node:fs'
import {describe, expect, test} from 'vitest'
import {
  Fold,
  LineDecoder,
  recordOfFrame,
  recordOfLine,
  SseDecoder,
  type Transcript,
  UnspoolError
} from '../src/index.js'

interface Case {
  name: string
  [field: string]: unknown
}

function cases(name: string): Case[] {
  const file = new URL(`../../../spec/fixtures/${name}.json`, import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as {cases: Case[]}).cases
}

const bytesOf = (text: unknown) => new TextEncoder().encode(text as string)

/** Every way to cut the bytes in two, and byte by byte. */
function* cuts(bytes: Uint8Array): Generator<Uint8Array[]> {
  for (let at = 0; at <= bytes.length; at += 1) yield [bytes.subarray(0, at), bytes.subarray(at)]
  yield Array.from(bytes, byte => Uint8Array.of(byte))
}

describe('server-sent events', () => {
  test.each(cases('sse'))('$name, cut anywhere', ({stream, frames}) => {
    const expected = (frames as {id: string; data: string}[]).map(({id, data}) => ({id, data}))
    for (const chunks of cuts(bytesOf(stream))) {
      const decoder = new SseDecoder()
      expect(chunks.flatMap(chunk => decoder.feed(chunk))).toEqual(expected)
    }
  })

  test('an event at the limit passes, and one over it is refused', () => {
    expect(new SseDecoder(20).feed(bytesOf(`data: ${'x'.repeat(14)}\n\n`))).toHaveLength(1)
    const decoder = new SseDecoder(20)
    decoder.feed(bytesOf('data: '))
    expect(() => decoder.feed(bytesOf('x'.repeat(15)))).toThrow(UnspoolError)
  })
})

describe('lines', () => {
  test.each(cases('ndjson'))('$name, cut anywhere', ({stream, lines}) => {
    for (const chunks of cuts(bytesOf(stream))) {
      const decoder = new LineDecoder()
      expect(chunks.flatMap(chunk => decoder.feed(chunk))).toEqual(lines)
    }
  })

  test('a line at the limit passes, and one over it is refused', () => {
    expect(new LineDecoder(4).feed(bytesOf('1234\n'))).toEqual(['1234'])
    const decoder = new LineDecoder(4)
    decoder.feed(bytesOf('1234'))
    expect(() => decoder.feed(bytesOf('5'))).toThrow(UnspoolError)
  })
})

describe('records', () => {
  test.each(cases('native'))('$name, by both transports', ({records, sse, ndjson}) => {
    const expected = (records as {seq: number; at: number; event: string}[]).map(({seq, at, event}) => ({
      seq,
      at,
      event: JSON.parse(event)
    }))
    const frames = new SseDecoder().feed(bytesOf(sse)).map(recordOfFrame)
    expect(frames.map(({seq, event}) => ({seq, event}))).toEqual(expected.map(({seq, event}) => ({seq, event})))
    expect(new LineDecoder().feed(bytesOf(ndjson)).map(recordOfLine)).toEqual(expected)
  })

  test.each([
    ['not JSON', '{'],
    ['not an object', '"token"'],
    ['without a type', '{"text":"a"}'],
    ['of a known type, without its members', '{"type":"token","text":"a"}'],
    ['of a known type, with a member of another kind', '{"type":"token","message_id":"m","text":1}'],
    ['a retry that keeps no seq', '{"type":"retry","attempt":2,"reason":"x"}']
  ])('what is %s is refused', (_, data) => {
    expect(() => recordOfFrame({id: '1', data})).toThrow(expect.objectContaining({code: 'parse'}))
  })

  test.each(['', '0', '-1', '1.0', 'x', '9999999999999999999'])('the id %j is refused', id => {
    expect(() => recordOfFrame({id, data: '{"type":"later"}'})).toThrow(expect.objectContaining({code: 'parse'}))
  })

  test('an event of a type that is not known passes', () => {
    expect(recordOfFrame({id: 'r:7', data: '{"type":"later","x":1}'})).toMatchObject({seq: 7, event: {x: 1}})
  })
})

/** As the server writes it: without what is at its default. */
function wired(transcript: Transcript): unknown {
  const {steps, data, interrupts, attempt, messages, usage, ...rest} = transcript
  const lists = Object.entries({steps, data, interrupts}).filter(([, list]) => list.length)
  return JSON.parse(
    JSON.stringify({
      ...rest,
      ...Object.fromEntries(lists),
      ...(attempt !== 1 && {attempt}),
      messages: messages.map(message => ({
        ...message,
        complete: message.complete || undefined,
        parts: message.parts.map(part => {
          if (part.type === 'text') return {...part, kind: part.kind === 'text' ? undefined : part.kind}
          if (part.type !== 'tool') return part
          const {status, args_text, error, result, args, ...tool} = part
          return {
            ...tool,
            ...(status !== 'calling' && {status}),
            ...(args_text && {args_text}),
            ...(args !== null && {args}),
            ...(result !== null && {result}),
            ...(error && {error})
          }
        })
      })),
      steps: steps.length ? steps.map(step => ({...step, done: step.done || undefined})) : undefined,
      usage: usage && {type: 'usage', ...Object.fromEntries(Object.entries(usage).filter(([, value]) => value !== 0))}
    })
  )
}

describe('the transcript', () => {
  test.each(cases('transcript'))('$name', ({events, transcript}) => {
    const fold = new Fold()
    for (const [index, event] of (events as never[]).entries()) {
      fold.fold({seq: index + 1, at: 0, event})
      fold.transcript() // looking on the way changes nothing
      expect(fold.fold({seq: index + 1, at: 0, event})).toBe(false)
    }
    expect(wired(fold.transcript())).toEqual(transcript)
  })

  test('a gap is noticed, and changes nothing', () => {
    const fold = new Fold()
    const event = {type: 'start', run_id: 'r', source: 's', created_at: 1} as const
    fold.fold({seq: 1, at: 0, event})
    expect(() => fold.fold({seq: 3, at: 0, event: {type: 'end', status: 'completed'}})).toThrow(/Events 2 to 2/)
    expect(fold.transcript()).toMatchObject({status: 'running', last_seq: 1})
  })

  test('what did not change is the same object as before', () => {
    const fold = new Fold()
    const events = [
      {type: 'start', run_id: 'r', source: 's', created_at: 1, input: 'hi'},
      {type: 'token', message_id: 'a', text: 'one'},
      {type: 'token', message_id: 'b', text: 'two'}
    ] as const
    for (const [index, event] of events.entries()) fold.fold({seq: index + 1, at: 0, event})
    const before = fold.transcript()
    expect(fold.transcript()).toBe(before)
    fold.fold({seq: 4, at: 0, event: {type: 'token', message_id: 'b', text: '!'}})
    const after = fold.transcript()
    expect(after.messages.slice(0, 2)).toEqual(before.messages.slice(0, 2))
    expect(after.messages[0]).toBe(before.messages[0])
    expect(after.messages[1]).toBe(before.messages[1])
    expect(after.messages[2]).not.toBe(before.messages[2])
    expect(before.messages[2]).toMatchObject({parts: [{text: 'two'}]})
    expect(after.messages[2]).toMatchObject({parts: [{text: 'two!'}]})
    expect(after.steps).toBe(before.steps)
  })
})
