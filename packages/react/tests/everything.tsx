import type {Client} from '@unspool/client'
import type {ReactElement} from 'react'
import {
  ConnectionNotice,
  StreamingErrorBoundary,
  StreamingMessage,
  UnspoolProvider,
  useDebouncedSend,
  useFollowScroll,
  useRun,
  useSchemas,
  useStreamingChat,
  useStreamingResponse,
  useThreads,
  useWebSocketStreaming
} from '../src/index.js'

/** Each hook and each part, on one page. */
export function Everything({client, threadId}: {client: Client; threadId?: string}): ReactElement {
  return (
    <UnspoolProvider client={client}>
      <StreamingErrorBoundary fallback="broken">
        <Page {...(threadId !== undefined && {threadId})} />
      </StreamingErrorBoundary>
    </UnspoolProvider>
  )
}

function Page({threadId}: {threadId?: string}): ReactElement {
  const chat = useStreamingChat(threadId === undefined ? {} : {threadId})
  const response = useStreamingResponse()
  const run = useRun(undefined)
  const many = useWebSocketStreaming()
  const threads = useThreads()
  const schemas = useSchemas()
  const {ref} = useFollowScroll<HTMLUListElement>()
  const {pending} = useDebouncedSend(chat.send)
  const facts = [
    `chat ${chat.status}`,
    `response ${response.status}`,
    `run ${run.status}`,
    `sockets ${many.runs.length}`,
    `threads ${threads.status}`,
    `schemas ${schemas.status}`,
    `pending ${pending}`
  ]
  return (
    <ul ref={ref}>
      {facts.map(fact => (
        <li key={fact}>{fact}</li>
      ))}
      {chat.messages.map(message => (
        <StreamingMessage key={message.id} message={message} />
      ))}
      <ConnectionNotice connection={chat.connection} />
    </ul>
  )
}
