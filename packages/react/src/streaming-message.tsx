import type {CitationPart, FilePart, Message, Part, TextPart, ToolPart} from '@unspool/client'
import {memo, type ReactElement, type ReactNode} from 'react'
import {Citation, File} from './attachments.js'
import {ToolCall} from './tool-call.js'

/** What shows each part of a message. `complete` is false for a part that may still grow. */
export interface PartRenderers {
  renderText?: (part: TextPart, complete: boolean) => ReactNode
  renderReasoning?: (part: TextPart, complete: boolean) => ReactNode
  renderTool?: (part: ToolPart) => ReactNode
  renderFile?: (part: FilePart) => ReactNode
  renderCitation?: (part: CitationPart, number: number) => ReactNode
}

export interface StreamingMessageProps extends PartRenderers {
  message: Message
  className?: string
}

/**
 * A message, part by part. It renders again when the message or another prop is a new one: so make the renderers outside
 * of your component, or with `useCallback`. It has no style of its own; give `.unspool-text` `white-space: pre-wrap`.
 */
export const StreamingMessage = memo(function StreamingMessage(props: StreamingMessageProps): ReactElement {
  const {message, className = 'unspool-message'} = props
  return (
    <article className={className} data-role={message.role} aria-busy={!message.complete}>
      {shownParts(message, props)}
    </article>
  )
})

function shownParts(message: Message, renderers: PartRenderers): ReactElement[] {
  let citations = 0
  return message.parts.map((part, index) => {
    if (part.type === 'citation') citations += 1
    const complete = message.complete || index < message.parts.length - 1
    return <ShownPart key={keyOf(part, index)} {...{part, complete, number: citations, renderers}} />
  })
}

/** Parts are only ever added at the end. */
function keyOf(part: Part, index: number): string | number {
  return part.type === 'tool' ? part.call_id : index
}

interface ShownPartProps {
  part: Part
  complete: boolean
  number: number
  renderers: PartRenderers
}

function ShownPart({part, complete, number, renderers}: ShownPartProps): ReactNode {
  const {renderText, renderReasoning, renderTool, renderFile, renderCitation} = renderers
  switch (part.type) {
    case 'text':
      if (part.kind === 'reasoning') {
        return renderReasoning ? renderReasoning(part, complete) : <Reasoning text={part.text} complete={complete} />
      }
      return renderText ? renderText(part, complete) : <PlainText text={part.text} />
    case 'tool':
      return renderTool ? renderTool(part) : <ToolCall part={part} />
    case 'file':
      return renderFile ? renderFile(part) : <File part={part} />
    case 'citation':
      return renderCitation ? renderCitation(part, number) : <Citation part={part} number={number} />
    default:
      return null // from a newer server
  }
}

/** By paragraphs: a browser lays out one long text anew for each word that is added. */
function PlainText({text}: {text: string}): ReactElement {
  const paragraphs = text.split('\n\n')
  return (
    <>
      {paragraphs.map((paragraph, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a paragraph keeps its place
        <Paragraph key={index} text={paragraph} />
      ))}
    </>
  )
}

const Paragraph = memo(function Paragraph({text}: {text: string}) {
  return <p className="unspool-text">{text}</p>
})

export interface ReasoningProps {
  text: string
  complete?: boolean
  /** Default `Reasoning`. */
  label?: ReactNode
}

/** What the model thought, folded away. */
export function Reasoning({text, complete = true, label = 'Reasoning'}: ReasoningProps): ReactElement {
  return (
    <details className="unspool-reasoning" aria-busy={!complete}>
      <summary>{label}</summary>
      <PlainText text={text} />
    </details>
  )
}
