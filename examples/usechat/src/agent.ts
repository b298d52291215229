/** The agent, and what its messages hold. */

import {unspoolTransport} from '@unspool/client/ai-sdk'
import type {UIMessage} from 'ai'

/** How the answer ended is in its metadata. Without a status, its end was not heard: it was stopped, or cut off. */
export type Message = UIMessage<{runId?: string; status?: 'completed' | 'failed' | 'cancelled' | 'interrupted'}>

export const transport = unspoolTransport<Message>({api: '/agent/ai-sdk'})
