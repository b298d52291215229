import {isToolUIPart} from 'ai'
import {memo} from 'react'
import type {Message} from './agent.js'
import {Markdown} from './markdown.js'
import {type Decide, Tool} from './tool.js'

interface MessageProps {
  message: Message
  /** Whether it is still being written. */
  live: boolean
  /** How it ended, if not well. */
  note: string | undefined
  onDecide: Decide
}

/** A message, part by part. Those that do not change are not rendered again. */
export const MessageView = memo(function MessageView({message, live, note, onDecide}: MessageProps) {
  const {role, parts} = message
  return (
    <article className="message" data-role={role} aria-label={role === 'user' ? 'You' : 'Agent'} aria-busy={live}>
      {parts.map((part, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a part keeps its place
        <Part key={index} part={part} role={role} live={live} onDecide={onDecide} />
      ))}
      {note && <p className="note">{note}</p>}
    </article>
  )
})

interface PartProps extends Pick<MessageProps, 'live' | 'onDecide'> {
  part: Message['parts'][number]
  role: Message['role']
}

function Part({part, role, live, onDecide}: PartProps) {
  if (isToolUIPart(part)) return <Tool part={part} live={live} onDecide={onDecide} />
  if (part.type === 'text') return role === 'user' ? <p>{part.text}</p> : <Markdown text={part.text} />
  if (part.type !== 'reasoning') return null
  return (
    <details className="fold">
      <summary>{live && part.state === 'streaming' ? 'Thinking…' : 'Thoughts'}</summary>
      <p>{part.text}</p>
    </details>
  )
}
