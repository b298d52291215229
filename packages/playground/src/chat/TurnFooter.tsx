import {type Client, textOf} from '@unspool/client'
import type {Turn} from '@unspool/client/chat'
import {useEffect} from 'react'
import {CopyButton} from '../ui/CopyButton.js'
import {IconButton} from '../ui/IconButton.js'
import {pretty} from '../ui/JsonView.js'
import {Dots} from './Dots.js'
import {FeedbackComment, Thumbs, useFeedback} from './Feedback.js'
import {measuresOf} from './measures.js'

interface TurnFooterProps {
  turn: Turn
  last: boolean
  client: Client
  onRegenerate(): void
  onInspect(): void
}

/** What one can do with an answer, and what it cost. */
export function TurnFooter({turn, last, client, onRegenerate, onInspect}: TurnFooterProps) {
  const feedback = useFeedback(client, turn.runId)
  const running = turn.run !== undefined
  const {look} = feedback
  // A turn that was restored comes without what was said about it.
  const restored = turn.timing === undefined
  useEffect(() => {
    if (last && restored) void look()
  }, [last, restored, look])
  const measures = measuresOf(turn)
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it looks ahead, and does nothing that one could miss.
    <footer className="turn-foot" onPointerEnter={restored ? look : undefined} onFocus={restored ? look : undefined}>
      <div className="actions">
        {running ? (
          <span className="answering">
            <Dots />
          </span>
        ) : (
          <>
            <CopyButton label="Copy answer" text={() => answerText(turn)} />
            <IconButton icon="retry" label="Regenerate" tip="above" onClick={onRegenerate} />
            <Thumbs feedback={feedback} />
          </>
        )}
        <IconButton icon="inspect" label="Inspect run" tip="above" onClick={onInspect} />
      </div>
      {measures.length > 0 && <p className="measures">{measures.join(' · ')}</p>}
      <FeedbackComment feedback={feedback} />
    </footer>
  )
}

function answerText({messages, transcript}: Turn): string {
  const said = messages.filter(({role}) => role === 'assistant').map(textOf)
  return said.filter(Boolean).join('\n\n') || pretty(transcript.output)
}
