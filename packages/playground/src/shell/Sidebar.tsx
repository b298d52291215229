import type {ThreadSummary} from '@unspool/client'
import {memo} from 'react'
import type {AgentEntry} from '../config.js'
import {formatRoute} from '../route.js'
import {Icon} from '../ui/Icon.js'
import {IconButton} from '../ui/IconButton.js'
import {ago, exact} from '../ui/time.js'

export interface SidebarProps {
  title: string
  agents: readonly AgentEntry[]
  agent: string
  threads: readonly ThreadSummary[]
  /** The one that is shown. */
  thread: string | undefined
  more: boolean
  /** Why the list is not there. */
  problem: string | undefined
  onMore(): void
  onReload(): void
  onNew(): void
  /** A link was followed. */
  onChoose(): void
  onClose(): void
}

/** The agents, and the conversations with the one that is chosen. */
export const Sidebar = memo(function Sidebar(props: SidebarProps) {
  const {title, agents, agent, threads, thread, more, problem, onMore, onReload, onNew, onChoose, onClose} = props
  return (
    <div className="sidebar-inner">
      <div className="sidebar-head">
        <p className="brand">
          <Mark />
          {title}
        </p>
        <IconButton icon="panel" label="Close sidebar" onClick={onClose} />
      </div>
      <button type="button" className="button new-chat" onClick={onNew}>
        <Icon name="plus" /> New chat
      </button>
      {agents.length > 1 && (
        <nav aria-label="Agents">
          <h2 className="side-title">Agents</h2>
          <ul>
            {agents.map(({name}) => (
              <li key={name}>
                <a
                  className="side-link"
                  href={formatRoute({agent: name})}
                  aria-current={name === agent ? 'true' : undefined}
                  onClick={onChoose}
                >
                  <span>{name}</span>
                </a>
              </li>
            ))}
          </ul>
        </nav>
      )}
      <nav className="threads" aria-label="Conversations">
        <h2 className="side-title">Conversations</h2>
        {problem && (
          <p className="side-note">
            {problem}{' '}
            <button type="button" className="link" onClick={onReload}>
              Try again
            </button>
          </p>
        )}
        {!problem && threads.length === 0 && <p className="side-note">None yet</p>}
        <ul>
          {threads.map(one => (
            <li key={one.id}>
              <ThreadLink agent={agent} thread={one} current={one.id === thread} onChoose={onChoose} />
            </li>
          ))}
        </ul>
        {more && (
          <button type="button" className="link more" onClick={onMore}>
            Load more
          </button>
        )}
      </nav>
    </div>
  )
})

const STATUS: Partial<Record<ThreadSummary['last_status'], string>> = {
  queued: 'Running',
  running: 'Running',
  interrupted: 'Waits for an answer',
  failed: 'Failed'
}

interface ThreadLinkProps {
  agent: string
  thread: ThreadSummary
  current: boolean
  onChoose(): void
}

function ThreadLink({agent, thread, current, onChoose}: ThreadLinkProps) {
  const {id, title, created_at, updated_at, last_status} = thread
  const status = STATUS[last_status]
  return (
    <a
      className="side-link"
      href={formatRoute({agent, thread: id})}
      aria-current={current ? 'page' : undefined}
      onClick={onChoose}
    >
      <span>{title ?? exact(created_at)}</span>
      {status && (
        <span className="side-status" data-status={last_status} role="img" aria-label={status} title={status} />
      )}
      <time dateTime={new Date(updated_at * 1000).toISOString()} title={exact(updated_at)}>
        {ago(updated_at)}
      </time>
    </a>
  )
}

function Mark() {
  return (
    <svg className="mark" viewBox="0 0 32 32" aria-hidden="true">
      <path d="M27 25H16a9 9 0 1 1 9-9v.5a4.5 4.5 0 0 1-9 0V16" />
    </svg>
  )
}
