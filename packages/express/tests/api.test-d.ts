/** How users call us: checked by `tsc`, never run. */

import type {IncomingMessage, ServerResponse} from 'node:http'
import type {Message, TokenEvent} from '@unspool/client'
import {
  type Agent,
  type AgentOptions,
  type Call,
  createAgent,
  type EndStatus,
  type ErrorReport,
  type OnError,
  type Retention,
  type Source,
  SourceError,
  type SourceErrorOptions,
  type SourceEvent,
  type SourceItem,
  type StreamOptions,
  type StreamResult,
  type StreamSource,
  streamEvents,
  type Timeouts,
  type WireCode
} from '@unspool/express'
import type {Request, Router} from 'express'
import {expectTypeOf} from 'vitest'

// A generator, with what it is called with, and what it may yield.
const agent = createAgent(
  async function* ({input, threadId, config, signal, history, answer, resumes, replaced}) {
    expectTypeOf(input).toEqualTypeOf<unknown>()
    expectTypeOf(threadId).toEqualTypeOf<string | undefined>()
    expectTypeOf(config).toEqualTypeOf<Readonly<Record<string, unknown>>>()
    expectTypeOf(signal).toEqualTypeOf<AbortSignal>()
    expectTypeOf(history).toEqualTypeOf<readonly Message[]>()
    expectTypeOf(answer).toEqualTypeOf<Readonly<Record<string, unknown>> | undefined>()
    expectTypeOf(resumes).toEqualTypeOf<string | undefined>()
    expectTypeOf(replaced).toEqualTypeOf<readonly string[]>()
    yield 'text'
    yield {type: 'reasoning', message_id: 'm', text: 'x'}
    yield {type: 'tool_call', call_id: 'c', name: 'n', args: {a: 1}}
    return {sum: 3}
  },
  {
    name: 'agent',
    authenticate: async req => {
      expectTypeOf(req).toEqualTypeOf<Request>()
      return req.get('X-User')
    },
    retention: {maxRuns: 10},
    timeouts: {idle: 1000}
  }
)
expectTypeOf(agent).toEqualTypeOf<Agent>()
expectTypeOf(agent.router).toEqualTypeOf<Router>()
expectTypeOf(agent.close).returns.toEqualTypeOf<Promise<void>>()

// Other ways to make a stream.
expectTypeOf<(call: Call) => Promise<ReadableStream<string> & AsyncIterable<string>>>().toExtend<Source>()
expectTypeOf<(call: Call) => AsyncGenerator<SourceItem>>().toExtend<Source>()
expectTypeOf<() => AsyncIterable<string>>().toExtend<Source>()
expectTypeOf<() => AsyncIterable<number>>().not.toExtend<Source>()
expectTypeOf<() => string[]>().not.toExtend<Source>()

// What belongs to the run is not for sources.
expectTypeOf<TokenEvent>().toExtend<SourceEvent>()
expectTypeOf<SourceEvent['type']>().extract<'start' | 'end' | 'retry'>().toBeNever()
// @ts-expect-error a token has text
createAgent(async function* () {
  yield {type: 'token', message_id: 'm'}
})
// @ts-expect-error there is no such option
createAgent(async function* () {}, {maxRun: 1})

// One response.
declare const res: ServerResponse<IncomingMessage>
expectTypeOf(streamEvents).parameter(0).toExtend<ServerResponse>()
expectTypeOf(streamEvents(res, (signal: AbortSignal) => fetchText(signal))).toEqualTypeOf<Promise<StreamResult>>()
expectTypeOf<StreamResult['status']>().toEqualTypeOf<EndStatus>()
expectTypeOf<AsyncGenerator<string>>().toExtend<StreamSource>()
declare function fetchText(signal: AbortSignal): Promise<AsyncIterable<string>>

// Errors.
expectTypeOf(new SourceError('Told.', {code: 'rate_limit', retryAfter: 1})).toExtend<Error>()
expectTypeOf<SourceErrorOptions['code']>().toEqualTypeOf<WireCode | undefined>()
// @ts-expect-error no such code
new SourceError('Told.', {code: 'oops'})
expectTypeOf<NonNullable<AgentOptions['onError']>>().toEqualTypeOf<OnError>()
expectTypeOf<OnError>().parameter(1).toEqualTypeOf<ErrorReport>()
expectTypeOf<NonNullable<AgentOptions['retention']>>().toEqualTypeOf<Retention>()
expectTypeOf<NonNullable<StreamOptions['timeouts']>>().toEqualTypeOf<Timeouts>()
