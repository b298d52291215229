import type {ConnectionState} from '@unspool/client'
import type {Turn} from '@unspool/client/chat'
import type {ReactNode} from 'react'
import {useSecondsUntil} from '../ui/useSecondsUntil.js'

/** How the stream is doing, and what the client does about it. */
export function Connection({turn}: {turn: Turn | undefined}) {
  const connection = turn?.run && turn.connection
  const seconds = useSecondsUntil(connection?.state === 'waiting' ? connection.retryAt : undefined)
  if (!connection) return null
  const {state, error, buffered} = connection
  const troubled = state === 'waiting' || state === 'offline'
  return (
    <div className="connection" data-state={state}>
      <span className="connection-dot" aria-hidden="true" />
      <span className="connection-text" title={error?.message}>
        {wordsOf(connection, seconds, (turn.timing?.reconnects ?? 0) > 0)}
      </span>
      {buffered && (
        <span className="connection-more" title="Something between the server and this page holds the stream back.">
          held back
        </span>
      )}
      {troubled && (
        <button type="button" className="link" onClick={() => turn.run?.reconnect()}>
          Now
        </button>
      )}
    </div>
  )
}

const NAMES: Record<ConnectionState['transport'], string> = {
  sse: 'SSE',
  ndjson: 'NDJSON',
  eventsource: 'EventSource',
  websocket: 'WebSocket'
}

function wordsOf({state, transport}: ConnectionState, seconds: number, again: boolean): ReactNode {
  switch (state) {
    case 'connecting':
      return again ? 'Reconnecting…' : 'Connecting…'
    case 'open':
      return (
        <>
          Live<span className="connection-over"> over {NAMES[transport]}</span>
        </>
      )
    case 'waiting':
      return seconds > 0 ? `Reconnecting in ${seconds} s` : 'Reconnecting…'
    case 'offline':
      return 'Offline. It goes on when the network is back'
    case 'closed':
      return 'Closed'
  }
}
