/** The public types, as users meet them. The compiler checks this file; nothing runs it. */

import type {UIMessage} from 'ai'
import {expectTypeOf} from 'vitest'
import {loadMessages, unspoolTransport} from '../src/ai-sdk.js'
import {type Chat, type ChatStatus, createChat, type Turn} from '../src/chat.js'
import {
  type Client,
  connect,
  type ErrorCode,
  type KnownEvent,
  type Message,
  type Part,
  type Run,
  type RunSnapshot,
  type RunStatus,
  UnspoolError,
  type UnspoolRecord
} from '../src/index.js'

const client = connect({url: '/agent', headers: async () => ({Authorization: 'Bearer x'}), flush: {tokens: 5}})
expectTypeOf(client).toEqualTypeOf<Client>()
expectTypeOf(client.start).parameter(0).toBeUnknown()
expectTypeOf(client.start('hi')).toEqualTypeOf<Run>()

const run = client.start('hi', {threadId: 't', replaces: 'r', config: {a: 1}})
expectTypeOf(run.finished).resolves.toEqualTypeOf<RunSnapshot>()
expectTypeOf(run.getSnapshot().status).toEqualTypeOf<RunStatus>()
expectTypeOf(run.getSnapshot().problem).toEqualTypeOf<UnspoolError | undefined>()
expectTypeOf(run.getSnapshot().messages).toEqualTypeOf<readonly Message[]>()
for await (const record of run) {
  expectTypeOf(record).toEqualTypeOf<UnspoolRecord>()
  if (record.event.type === 'token') expectTypeOf(record.event.text).toBeString()
  if (record.event.type === 'end') expectTypeOf(record.event.status).toEqualTypeOf<RunStatus>()
}

// Every event and every part can be told by its type, and there is no other.
function name(event: KnownEvent, part: Part): string {
  switch (part.type) {
    case 'text':
    case 'tool':
    case 'file':
    case 'citation':
      return event.type
    default:
      return part satisfies never
  }
}
expectTypeOf(name).returns.toBeString()

expectTypeOf(new UnspoolError('network', 'x').code).toEqualTypeOf<ErrorCode>()
expectTypeOf(new UnspoolError('network', 'x').retryAfter).toEqualTypeOf<number | undefined>()

const chat = createChat({client})
expectTypeOf(chat).toEqualTypeOf<Chat>()
expectTypeOf(chat.send('hi')).resolves.toEqualTypeOf<Turn>()
expectTypeOf(chat.getSnapshot().status).toEqualTypeOf<ChatStatus>()

type Mine = UIMessage<{runId?: string}>
expectTypeOf(loadMessages({api: '/agent/ai-sdk', id: 'c'})).resolves.toEqualTypeOf<UIMessage[]>()
expectTypeOf(unspoolTransport<Mine>({api: '/agent/ai-sdk'}).loadMessages('c')).resolves.toEqualTypeOf<Mine[]>()

// @ts-expect-error - a chat is needed
loadMessages({api: '/agent/ai-sdk'})
// @ts-expect-error - one of the two
client.resume('r', {})
// @ts-expect-error - there is no such transport
connect({url: '/agent', transport: 'carrier-pigeon'})
// @ts-expect-error - a URL is needed
connect({})
// @ts-expect-error - what is shown is not to be changed
run.getSnapshot().messages.push()
