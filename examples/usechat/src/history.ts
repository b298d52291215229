/** What was said in a chat before: the server remembers it, so the page keeps nothing. */

import {connect, isEnded, type RunView, textOf} from '@unspool/client'
import {DefaultChatTransport, readUIMessageStream, type UIMessage, type UIMessageChunk} from 'ai'

export const AGENT = '/agent'

/** How the answer ended is in its metadata. Without a status, its end was not heard: it was stopped, or cut off. */
export type Message = UIMessage<{runId?: string; status?: 'completed' | 'failed' | 'cancelled' | 'interrupted'}>

export interface History {
  messages: Message[]
  /** Whether an answer is on its way. It is not among the messages: `resume` brings it. */
  running: boolean
}

const agent = connect({url: AGENT})

/**
 * The questions of a chat, and each answer as `useChat` would have read it.
 *
 * @throws {UnspoolError} The server cannot be reached, or it refuses.
 */
export async function historyOf(chatId: string): Promise<History> {
  const runs = (await runsOf(chatId)).filter(({replaced}) => !replaced)
  const turns = await Promise.all(runs.map(async run => [...questionsOf(run), ...(await answersOf(chatId, run))]))
  // A run that goes on after an approval tells its message from the beginning: by its id it takes the other's place.
  const messages = new Map(turns.flat().map(message => [message.id, message]))
  const newest = runs.at(-1)
  return {messages: [...messages.values()], running: newest !== undefined && !isEnded(newest.status)}
}

/** Those of a chat that nothing was asked in yet: none. */
async function runsOf(chatId: string): Promise<RunView[]> {
  const {runs} = await agent.runs({threadId: chatId, limit: 1})
  return runs.length ? (await agent.thread(chatId)).runs : []
}

function questionsOf({id, transcript}: RunView): Message[] {
  const asked = transcript?.messages.filter(({role}) => role === 'user') ?? []
  return asked.map((message, index) => ({
    id: `${id}-asked-${index}`,
    role: 'user',
    parts: [{type: 'text', text: textOf(message)}]
  }))
}

async function answersOf(chatId: string, {id, status}: RunView): Promise<Message[]> {
  if (!isEnded(status)) return []
  const replay = new DefaultChatTransport({
    prepareReconnectToStreamRequest: () => ({api: `${AGENT}/ai-sdk/${chatId}/stream?run_id=${id}&replay=1`})
  })
  const stream = await replay.reconnectToStream({chatId})
  return stream ? read(stream) : []
}

/** The message that a stream tells. An error in it is how that answer ended, and its metadata says so. */
async function read(stream: ReadableStream<UIMessageChunk>): Promise<Message[]> {
  let last: Message | undefined
  for await (const message of readUIMessageStream<Message>({stream, onError: () => undefined})) last = message
  return last ? [last] : []
}
