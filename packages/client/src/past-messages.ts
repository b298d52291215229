/** What was said in a chat of the AI SDK, as the server keeps it. */

import {isToolUIPart, readUIMessageStream, type UIMessage, type UIMessageChunk} from 'ai'

export interface Past<M> {
  messages: M[]
  /** The run that goes on. */
  running: string | null
}

interface PastMessage {
  id: string
  role: UIMessage['role']
  parts?: UIMessage['parts']
  /** Of an answer. */
  chunks?: UIMessageChunk[]
  /** Of an answer: what the user said of its tool calls. */
  approvals?: {toolCallId: string; id: string; approved: boolean; reason?: string}[]
}

/** What the server tells of a chat. */
export async function readPast<M extends UIMessage>(response: Response): Promise<Past<M>> {
  const {messages, running} = (await response.json()) as Past<PastMessage>
  return {messages: await Promise.all(messages.map(message => messageOf<M>(message))), running}
}

/** A message, as `useChat` would have read it. */
async function messageOf<M extends UIMessage>({chunks, approvals = [], ...message}: PastMessage): Promise<M> {
  let found = {parts: [], ...message} as unknown as M
  if (!chunks) return found
  const stream = new ReadableStream<UIMessageChunk>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    }
  })
  // A chunk that tells of an error is how that answer ended.
  for await (const state of readUIMessageStream<M>({stream, onError: () => {}})) found = state
  for (const {toolCallId, ...approval} of approvals) {
    const part = found.parts.find(part => isToolUIPart(part) && part.toolCallId === toolCallId)
    if (part) Object.assign(part, {approval})
  }
  return found
}
