import {type Client, type ConnectionState, type InterruptEvent, isEnded, type UnspoolError} from '@unspool/client'
import {type Chat, type ChatOptions, type ChatSnapshot, createChat, type Turn} from '@unspool/client/chat'
import {useEffect, useLayoutEffect, useMemo, useReducer, useRef, useSyncExternalStore} from 'react'
import {quietly, useLatest, useLeaving} from './lifetime.js'
import {type ClientSource, useClient} from './provider.js'
import {memoryOf, type Remember} from './remember.js'
import {isStreaming} from './run-state.js'

export type StreamingChatOptions = ClientSource &
  Omit<ChatOptions, 'client'> & {
    /** Where the thread is kept over a reload, where no `threadId` says it. Default `session`. */
    remember?: Remember
  }

type Methods = Pick<Chat, 'send' | 'submit' | 'stop' | 'regenerate' | 'edit' | 'answer' | 'open' | 'reload'>

export interface StreamingChat extends ChatSnapshot, Methods {
  /** `submitted` or `streaming`. */
  readonly isStreaming: boolean
  /** What the last turn asks the person. */
  readonly interrupts: readonly InterruptEvent[]
  /** Of the last run that is followed. */
  readonly connection: ConnectionState | undefined
  /** After an error: asks the last question again, or loads the thread again, whichever failed. */
  retry(): Promise<Turn | undefined>
}

/** A conversation: what was said, what is being said, and what a person can do about it. */
export function useStreamingChat(options: StreamingChatOptions = {}): StreamingChat {
  const client = useClient(options)
  const latest = useLatest(options)
  const chat = useMemo(() => {
    const onError = (error: UnspoolError) => latest.current.onError?.(error)
    const onFinish = (turn: Turn) => latest.current.onFinish?.(turn)
    return createChat({client, onError, onFinish})
  }, [client, latest])
  const {config, toInput} = options
  useBeforePaint(() => chat.configure({config: config ?? {}, ...(toInput && {toInput})}))
  useThread(chat, client, options)
  useLeaving(
    chat,
    left => left.close(),
    left => left.getSnapshot().turns.length && left.reload()
  )
  const snapshot = useSyncExternalStore(chat.subscribe, chat.getSnapshot, onServer)
  const methods = useMemo(() => methodsOf(chat), [chat])
  const {turns} = snapshot
  return {
    ...snapshot,
    ...methods,
    isStreaming: isStreaming(snapshot.status),
    interrupts: turns.at(-1)?.interrupts ?? [],
    connection: turns.findLast(turn => turn.run)?.connection
  }
}

/** A server does not know what the browser remembers. */
const ON_SERVER: ChatSnapshot = {threadId: '', status: 'restoring', turns: [], messages: []}
const onServer = () => ON_SERVER

const useBeforePaint = typeof document === 'undefined' ? useEffect : useLayoutEffect

const again = (count: number) => count + 1

/** Shows the thread that the prop names, or that is remembered, and remembers which one is shown. */
function useThread(chat: Chat, {url}: Client, {threadId, remember = 'session'}: StreamingChatOptions): void {
  const shown = useRef<{chat: Chat; threadId: string | undefined}>(undefined)
  const latest = useLatest(remember)
  const [, show] = useReducer(again, 0)
  useBeforePaint(() => {
    const before = shown.current
    shown.current = {chat, threadId}
    const isNew = before?.chat !== chat
    if (!isNew && before.threadId === threadId) return
    const wanted = threadId ?? (isNew ? memoryOf(latest.current, url)?.get() : undefined) ?? undefined
    if (wanted === undefined ? isNew : wanted === chat.getSnapshot().threadId) return
    chat.open(wanted)
    show() // React listens to a store only once it has painted
  }, [chat, url, threadId, latest])
  useEffect(() => {
    const memory = memoryOf(remember, url)
    if (!memory) return
    const note = () => {
      const {threadId: now, turns, status} = chat.getSnapshot()
      if (turns.length) memory.set(now)
      else if (status === 'ready') memory.set(undefined)
    }
    note()
    const unsubscribe = chat.subscribe(note)
    const unwatch = memory.watch?.(() => {
      const named = memory.get() ?? undefined
      if (named !== chat.getSnapshot().threadId) chat.open(named)
    })
    return () => {
      unsubscribe()
      unwatch?.()
    }
  }, [chat, url, remember])
}

function methodsOf(chat: Chat): Methods & Pick<StreamingChat, 'retry'> {
  return {
    send: quietly(chat.send),
    submit: quietly(chat.submit),
    stop: quietly(chat.stop),
    regenerate: quietly(chat.regenerate),
    edit: quietly(chat.edit),
    answer: quietly(chat.answer),
    open: chat.open,
    reload: chat.reload,
    retry: quietly(() => retry(chat))
  }
}

async function retry(chat: Chat): Promise<Turn | undefined> {
  const last = chat.getSnapshot().turns.at(-1)
  const goesOn = last?.transcript.run_id !== undefined && !isEnded(last.status)
  if (last && !goesOn && (last.problem || last.status === 'failed')) return chat.regenerate()
  chat.reload()
  return undefined
}
