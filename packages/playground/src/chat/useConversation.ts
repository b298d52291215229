import type {Client} from '@unspool/client'
import type {Chat, ChatSnapshot} from '@unspool/client/chat'
import {type StreamingChat, type ThreadMemory, useStreamingChat} from '@unspool/react'
import {useMemo} from 'react'
import {navigate, parseRoute} from '../route.js'

export type ChatActions = Pick<Chat, 'send' | 'submit' | 'stop' | 'regenerate' | 'edit' | 'answer' | 'reload'>

export interface Conversation extends Pick<StreamingChat, keyof ChatSnapshot> {
  /** The same object for as long as the agent is the same. */
  readonly actions: ChatActions
}

/** The conversation that the address names, and that writes itself there once it has begun. */
export function useConversation(client: Client, agent: string, config: Record<string, unknown>): Conversation {
  const remember = useMemo(() => addressOf(agent), [agent])
  const chat = useStreamingChat({client, config, remember})
  const {send, submit, stop, regenerate, edit, answer, reload} = chat
  const actions = useMemo(
    () => ({send, submit, stop, regenerate, edit, answer, reload}),
    [send, submit, stop, regenerate, edit, answer, reload]
  )
  return {...chat, actions}
}

/** Another agent's address is none of its business: the chat is about to go. */
function addressOf(agent: string): ThreadMemory {
  const here = () => {
    const route = parseRoute(location.hash)
    return route.agent === undefined || route.agent === agent ? route : undefined
  }
  return {
    get: () => here()?.thread,
    set(thread) {
      const route = here()
      if (!route || route.thread === thread) return
      navigate({agent, ...(thread && {thread}), ...(route.run && {run: route.run})}, {replace: true})
    },
    watch(changed) {
      let thread = here()?.thread
      const look = () => {
        const route = here()
        if (!route || route.thread === thread) return
        thread = route.thread
        changed()
      }
      addEventListener('hashchange', look)
      return () => removeEventListener('hashchange', look)
    }
  }
}
