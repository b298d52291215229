import {useId, useState} from 'react'
import {JsonView, pretty} from '../ui/JsonView.js'
import type {Action, Decision} from './question.js'

interface Decided {
  readonly decision: Decision
  /** The arguments as JSON, where they are edited; why not, where it is rejected. */
  readonly text: string
}

const LABELS: Record<Decision, string> = {approve: 'Approve', edit: 'Edit', reject: 'Reject'}

/** Calls that wait for a person: each is approved, changed or rejected, and all are sent together. */
export function Review({actions, onAnswer}: {actions: readonly Action[]; onAnswer(value: unknown): void}) {
  const [decided, setDecided] = useState<readonly (Decided | undefined)[]>(() => actions.map(() => undefined))
  const decide = (index: number, next: Decided) => setDecided(decided.map((one, at) => (at === index ? next : one)))
  const answers = actions.map((action, index) => answerOf(action, decided[index]))
  const ready = answers.every(one => one !== undefined)
  return (
    <>
      {actions.map((action, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the calls are fixed, and may have the same name.
        <ReviewedAction key={index} action={action} decided={decided[index]} onDecide={next => decide(index, next)} />
      ))}
      <button type="button" className="button primary" disabled={!ready} onClick={() => onAnswer({decisions: answers})}>
        {actions.length > 1 ? 'Send decisions' : 'Send decision'}
      </button>
    </>
  )
}

interface ReviewedActionProps {
  action: Action
  decided: Decided | undefined
  onDecide(next: Decided): void
}

function ReviewedAction({action, decided, onDecide}: ReviewedActionProps) {
  const id = useId()
  const {name, args, description, decisions} = action
  return (
    <fieldset className="review">
      <legend>
        <code>{name}</code>
      </legend>
      {description && <p className="plain">{description}</p>}
      {decided?.decision !== 'edit' && <JsonView value={args} label={`Arguments of ${name}`} />}
      <div className="row">
        {decisions.map(decision => (
          <label key={decision} className="check">
            <input
              type="radio"
              name={id}
              checked={decided?.decision === decision}
              onChange={() => onDecide({decision, text: decision === 'edit' ? pretty(args) : ''})}
            />
            {LABELS[decision]}
          </label>
        ))}
      </div>
      {decided && decided.decision !== 'approve' && (
        <textarea
          aria-label={decided.decision === 'edit' ? `Arguments of ${name}, as JSON` : 'Why not'}
          placeholder={decided.decision === 'edit' ? '' : 'Why not (optional)'}
          rows={decided.decision === 'edit' ? 5 : 2}
          value={decided.text}
          onChange={event => onDecide({...decided, text: event.target.value})}
        />
      )}
    </fieldset>
  )
}

/** In the form that LangChain's middleware takes. Undefined: it is not decided, or the arguments are not JSON. */
function answerOf({name}: Action, decided: Decided | undefined): unknown {
  if (decided?.decision === 'approve') return {type: 'approve'}
  if (decided?.decision === 'reject') return {type: 'reject', ...(decided.text.trim() && {message: decided.text})}
  if (!decided) return undefined
  try {
    return {type: 'edit', edited_action: {name, args: JSON.parse(decided.text)}}
  } catch {
    return undefined
  }
}
