import type {ConnectionState} from '@unspool/client'
import type {ReactElement} from 'react'

export interface ConnectionNoticeProps {
  connection: ConnectionState | undefined
  /** In other words, or another language. `undefined`: nothing to say. */
  say?: (connection: ConnectionState) => string | undefined
  className?: string
}

/** Says what the client does about a connection that is not as it should be. Empty while all is well. */
export function ConnectionNotice(props: ConnectionNoticeProps): ReactElement {
  const {connection, say = inEnglish, className = 'unspool-connection'} = props
  return (
    <div className={className} role="status" data-state={connection?.state}>
      {connection && say(connection)}
    </div>
  )
}

function inEnglish({state, error, buffered}: ConnectionState): string | undefined {
  if (state === 'offline') return 'No network. The answer goes on once it is back.'
  if (state === 'waiting') return 'Connection lost. Reconnecting…'
  if (state === 'connecting') return error && 'Reconnecting…'
  if (state === 'closed') return error?.message
  return buffered ? 'Something on the way holds the answer back, so that it comes in lumps.' : undefined
}
