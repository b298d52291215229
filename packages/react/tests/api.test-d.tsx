/** The types that users build on. Checked by `tsc`; nothing here runs. */

import type {QueryClient} from '@tanstack/react-query'
import {useMutation, useQuery} from '@tanstack/react-query'
import type {Client, Message, Run, RunSnapshot, ThreadPage, UnspoolError} from '@unspool/client'
import type {ChatMessage, ChatStatus, Turn} from '@unspool/client/chat'
import {expectTypeOf} from 'vitest'
import {
  type ClientSource,
  type RunState,
  StreamingMessage,
  UnspoolProvider,
  useClient,
  useDebouncedSend,
  useFollowScroll,
  useRun,
  useSchemas,
  useStreamingChat,
  useStreamingResponse,
  useThreads,
  useWebSocketStreaming
} from '../src/index.js'
import {runMutationOptions, threadsQuery} from '../src/query.js'
import {createChatStore, useChatStore} from '../src/zustand.js'

declare const client: Client
declare const queryClient: QueryClient

export function Sources() {
  expectTypeOf(useClient()).toEqualTypeOf<Client>()
  expectTypeOf(useClient).parameter(0).toEqualTypeOf<ClientSource | undefined>()
  useClient({url: '/agent', headers: async () => ({Authorization: 'x'}), transport: 'websocket'})
  useClient({client})
  // @ts-expect-error: there is no such transport
  useClient({url: '/agent', transport: 'pigeon'})
  // @ts-expect-error: an agent is named by `url`
  return <UnspoolProvider src="/agent" />
}

export function Responses() {
  const response = useStreamingResponse({url: '/agent', onRestart: 'stop'})
  expectTypeOf(response).toExtend<RunState>()
  expectTypeOf(response.status).toEqualTypeOf<
    'idle' | 'submitted' | 'streaming' | 'completed' | 'failed' | 'cancelled' | 'interrupted'
  >()
  expectTypeOf(response.text).toBeString()
  expectTypeOf(response.error).toEqualTypeOf<UnspoolError | undefined>()
  expectTypeOf(response.messages).toEqualTypeOf<readonly Message[]>()
  expectTypeOf(response.output).toBeUnknown()
  expectTypeOf(response.start('a', {threadId: 't', config: {k: 1}})).toEqualTypeOf<Run>()
  expectTypeOf(response.stop()).toEqualTypeOf<Promise<void>>()
  expectTypeOf(useRun(undefined)).toEqualTypeOf<RunState>()
  // @ts-expect-error: a run cannot be started by watching one
  useRun('r').start
  const many = useWebSocketStreaming({url: '/agent'})
  expectTypeOf(many.runs[0]).toExtend<(RunSnapshot & {id: string}) | undefined>()
  // @ts-expect-error: of many runs one is named
  many.stop()
}

export function Chats() {
  const chat = useStreamingChat({
    url: '/agent',
    remember: 'hash',
    toInput: ({text}) => ({question: text}),
    onError: error => expectTypeOf(error).toEqualTypeOf<UnspoolError>(),
    onFinish: turn => expectTypeOf(turn).toEqualTypeOf<Turn>()
  })
  expectTypeOf(chat.status).toEqualTypeOf<ChatStatus>()
  expectTypeOf(chat.messages).toEqualTypeOf<readonly ChatMessage[]>()
  expectTypeOf(chat.problem).toEqualTypeOf<UnspoolError | undefined>()
  expectTypeOf(chat.send).parameter(0).toExtend<string | object>()
  expectTypeOf(chat.retry()).toEqualTypeOf<Promise<Turn | undefined>>()
  expectTypeOf(chat.answer).parameter(0).toEqualTypeOf<{answer: unknown} | {answers: Record<string, unknown>}>()
  // @ts-expect-error: what is remembered has a place
  useStreamingChat({url: '/agent', remember: 'cloud'})
  useStreamingChat({remember: {get: () => null, set: id => expectTypeOf(id).toEqualTypeOf<string | undefined>()}})
}

export function Lists() {
  expectTypeOf(useThreads().threads[0]?.title).toEqualTypeOf<string | null | undefined>()
  expectTypeOf(useSchemas().schemas?.input).toEqualTypeOf<Record<string, unknown> | undefined>()
  expectTypeOf(useDebouncedSend((text: string, _n: number) => text).send).parameters.toEqualTypeOf<[string, number]>()
  expectTypeOf(useFollowScroll<HTMLUListElement>().ref).parameter(0).toEqualTypeOf<HTMLUListElement | null>()
}

export function Parts({message}: {message: Message}) {
  return (
    <StreamingMessage
      message={message}
      renderTool={({name, args}) => `${name} ${JSON.stringify(args)}`}
      // @ts-expect-error: a citation has no text kind
      renderCitation={({kind}) => kind}
    />
  )
}

export function Stores() {
  const store = createChatStore({client})
  expectTypeOf(useChatStore(store, ({messages}) => messages.length)).toBeNumber()
  expectTypeOf(store.getState().send('a')).toEqualTypeOf<Promise<Turn>>()
}

export function Queries() {
  expectTypeOf(useQuery(threadsQuery(client)).data).toEqualTypeOf<ThreadPage | undefined>()
  const mutation = useMutation(runMutationOptions({client, queryClient}))
  expectTypeOf(mutation.data).toEqualTypeOf<RunSnapshot | undefined>()
  expectTypeOf(mutation.error).toEqualTypeOf<UnspoolError | null>()
  mutation.mutate({input: 1, threadId: 't'})
  // @ts-expect-error: a run has an input
  mutation.mutate({threadId: 't'})
}
