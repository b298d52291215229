import type {Turn} from '@unspool/client/chat'
import {useEffect, useRef} from 'react'
import {problemOf, titleOf} from '../chat/problem.js'
import type {Conversation} from '../chat/useConversation.js'
import {useAnnounce} from '../ui/Announcer.js'

/** Says what becomes of the conversation: that an answer has begun, is complete, failed, or waits for somebody. */
export function useStates({status, turns}: Conversation): void {
  const announce = useAnnounce()
  const before = useRef(status)
  const last = turns.at(-1)
  useEffect(() => {
    const was = before.current
    before.current = status
    const said = wordsOf(was, status, last)
    if (said) announce(said)
  }, [status, last, announce])

  const connection = turns.findLast(turn => turn.run)?.connection?.state
  const lost = useRef(false)
  useEffect(() => {
    const cut = connection === 'waiting' || connection === 'offline'
    if (cut && !lost.current) announce('Connection lost. Reconnecting')
    if (connection === 'open' && lost.current) announce('Connected again')
    if (cut || connection === 'open') lost.current = cut
  }, [connection, announce])
}

function wordsOf(was: Conversation['status'], now: Conversation['status'], last: Turn | undefined): string | undefined {
  if (was === now) return undefined
  const answering = was === 'submitted' || was === 'streaming'
  switch (now) {
    case 'submitted':
      return 'Answering'
    case 'streaming':
      return was === 'submitted' ? undefined : 'Answering'
    case 'interrupted':
      return 'The agent waits for your answer'
    case 'failed': {
      const problem = last && problemOf(last)
      return problem ? `${titleOf(problem)}. ${problem.message}` : 'It failed'
    }
    case 'ready':
      if (!answering) return undefined
      if (last?.status === 'cancelled') return 'Answer stopped'
      return last?.status === 'failed' ? 'The answer failed' : 'Answer complete'
    default:
      return undefined
  }
}
