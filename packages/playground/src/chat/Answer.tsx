import type {CitationPart, Message, Part} from '@unspool/client'
import {textOf} from '@unspool/client'
import {memo} from 'react'
import {Citations} from './Citations.js'
import {FileView} from './FileView.js'
import {Prose} from './Prose.js'
import {Reasoning} from './Reasoning.js'
import {ToolCard} from './ToolCard.js'

/** What the agent said in one message. `named`: several speak, and one wants to know who. */
export const Answer = memo(function Answer({message, live, named}: {message: Message; live: boolean; named: boolean}) {
  const {parts, complete, name} = message
  const citations = parts.filter((part): part is CitationPart => part.type === 'citation')
  const growing = live && !complete
  return (
    <div className="message assistant" aria-busy={growing}>
      {named && name && <p className="speaker">{name}</p>}
      {parts.map((part, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: parts are only ever added at the end.
        <PartView key={index} part={part} live={live} growing={growing && index === parts.length - 1} />
      ))}
      {citations.length > 0 && <Citations citations={citations} text={textOf(message)} />}
    </div>
  )
})

function PartView({part, live, growing}: {part: Part; live: boolean; growing: boolean}) {
  switch (part.type) {
    case 'text':
      if (part.kind === 'reasoning') return <Reasoning text={part.text} thinking={growing} />
      return (
        <div className="text">
          <Prose text={part.text} complete={!growing} />
        </div>
      )
    case 'tool':
      return <ToolCard part={part} live={live} />
    case 'file':
      return <FileView file={part} />
    case 'citation':
      return null
  }
}
