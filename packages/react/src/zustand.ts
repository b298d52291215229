'use client'

import type {UnspoolError} from '@unspool/client'
import {type Chat, type ChatOptions, type ChatSnapshot, createChat} from '@unspool/client/chat'
import {useStore} from 'zustand'
import {createStore, type StoreApi} from 'zustand/vanilla'

type Methods = Omit<Chat, 'getSnapshot' | 'subscribe'>

/** A chat's snapshot and its methods. */
export interface ChatState extends Omit<ChatSnapshot, 'problem'>, Methods {
  readonly problem: UnspoolError | undefined
}

export type ChatStore = StoreApi<ChatState>

/**
 * A vanilla Zustand store that mirrors a chat: at once as it changes, each change once per frame. Nothing is thrown where
 * a run fails: `problem` and the turns say it.
 */
export function createChatStore(options: ChatOptions): ChatStore {
  const chat = createChat(options)
  const {send, submit, stop, regenerate, edit, answer, open, reload, configure, close} = chat
  const methods = {send, submit, stop, regenerate, edit, answer, open, reload, configure, close}
  const store = createStore<ChatState>(() => ({...mirrored(chat), ...methods}))
  chat.subscribe(() => store.setState(mirrored(chat)))
  return store
}

function mirrored(chat: Chat): Omit<ChatSnapshot, 'problem'> & Pick<ChatState, 'problem'> {
  const snapshot = chat.getSnapshot()
  return {...snapshot, problem: snapshot.problem}
}

/** What `selector` takes of the store; renders again when that changes. */
export function useChatStore<T>(store: ChatStore, selector: (state: ChatState) => T): T {
  return useStore(store, selector)
}
