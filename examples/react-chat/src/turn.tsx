import {textOf} from '@unspool/client'
import type {Turn} from '@unspool/client/chat'
import {StreamingMessage} from '@unspool/react'
import {type FormEvent, memo, useState} from 'react'

interface TurnProps {
  turn: Turn
  /** Whether an answer is on its way. */
  busy: boolean
  onEdit: (runId: string, text: string) => void
  onRegenerate: (runId: string) => void
}

/** A question and its answer. Rendered again only when something in it has changed. */
export const TurnView = memo(function TurnView({turn, busy, onEdit, onRegenerate}: TurnProps) {
  const [editing, setEditing] = useState(false)
  const question = turn.messages.find(({role}) => role === 'user')
  const stopped = turn.status === 'cancelled'

  const save = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    setEditing(false)
    onEdit(turn.runId, String(new FormData(event.currentTarget).get('question')))
  }
  return (
    <div className="turn">
      {turn.messages.map(message =>
        editing && message === question ? (
          <form key={message.id} className="edit" onSubmit={save}>
            <textarea name="question" aria-label="Your question" defaultValue={textOf(message)} required />
            <button type="submit">Ask this instead</button>
            <button type="button" onClick={() => setEditing(false)}>
              Cancel
            </button>
          </form>
        ) : (
          <StreamingMessage key={message.id} message={message} />
        )
      )}
      {stopped && <p className="note">You stopped this answer.</p>}
      {!busy && !editing && question && (
        <p className="actions">
          <button type="button" onClick={() => setEditing(true)}>
            Edit
          </button>
          <button type="button" onClick={() => onRegenerate(turn.runId)}>
            Ask again
          </button>
        </p>
      )}
    </div>
  )
})
