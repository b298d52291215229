import type {Message, Part, Transcript} from '@unspool/client'
import {memo, type ReactNode} from 'react'
import {blocksOf} from './format.js'
import {inline} from './summary.js'

/** A transcript as plain text: exactly what the events say, and nothing rendered from it. */
export function TranscriptView({transcript}: {transcript: Transcript}): ReactNode {
  const {messages, steps, interrupts, error} = transcript
  return (
    <div className="insp-transcript">
      {steps.length > 0 && (
        <ul className="insp-steps" aria-label="Steps">
          {steps.map(step => (
            <li key={step.id} data-done={step.done}>
              {step.name} {step.done ? '✓' : '…'}
            </li>
          ))}
        </ul>
      )}
      {messages.map(message => (
        <MessageView key={message.id} message={message} />
      ))}
      {interrupts.map(({interrupt_id, value}) => (
        <p key={interrupt_id} className="insp-part">
          <b>Waits for a person</b> {inline(value)}
        </p>
      ))}
      {error && (
        <p className="insp-part insp-failed">
          <b>{error.code}</b> {error.message}
        </p>
      )}
    </div>
  )
}

function MessageView({message}: {message: Message}): ReactNode {
  return (
    <article className="insp-message" data-role={message.role} aria-label={message.name ?? message.role}>
      <header>
        {message.name ?? message.role}
        {message.finish_reason && ` · ${message.finish_reason}`}
      </header>
      {message.parts.map((part, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: parts are only ever added at the end
        <PartView key={index} part={part} />
      ))}
    </article>
  )
}

/** A block that is settled is not drawn, nor laid out, again. */
const Block = memo(({text}: {text: string}) => <p>{text}</p>)

function PartView({part}: {part: Part}): ReactNode {
  switch (part.type) {
    case 'text':
      return (
        <div className={`insp-part insp-${part.kind}`}>
          {blocksOf(part.text).map((block, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: text only grows at its end
            <Block key={index} text={block} />
          ))}
        </div>
      )
    case 'tool': {
      const args = part.args === undefined ? part.args_text : inline(part.args)
      return (
        <div className="insp-part insp-tool-call" data-status={part.status}>
          <code>{`${part.name}(${args})`}</code>
          {part.result !== undefined && <code>{`→ ${inline(part.result)}`}</code>}
          {part.error !== undefined && <code className="insp-failed">{`→ ${part.error}`}</code>}
        </div>
      )
    }
    case 'file':
      return <p className="insp-part">{[part.name, part.media_type].filter(Boolean).join(' · ')}</p>
    case 'citation':
      return <p className="insp-part">{part.title ?? part.url ?? part.text}</p>
  }
}
