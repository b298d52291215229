import type {InterruptEvent} from '@unspool/client'
import {useState} from 'react'
import {Icon} from '../ui/Icon.js'
import {JsonView} from '../ui/JsonView.js'
import {OpenAnswer} from './OpenAnswer.js'
import {type Question, questionOf} from './question.js'
import {Review} from './Review.js'

interface InterruptsProps {
  interrupts: readonly InterruptEvent[]
  onAnswer(answer: {answer: unknown} | {answers: Record<string, unknown>}): void
}

/** What the agent asks before it goes on. Several questions are answered together: the run takes all answers at once. */
export function Interrupts({interrupts, onAnswer}: InterruptsProps) {
  const [answers, setAnswers] = useState<ReadonlyMap<string, unknown>>(new Map())
  const [only] = interrupts
  if (!only) return null
  const give = (id: string, value: unknown) => {
    if (interrupts.length === 1) return onAnswer({answer: value})
    const given = new Map(answers).set(id, value)
    setAnswers(given)
    if (interrupts.every(({interrupt_id}) => given.has(interrupt_id))) onAnswer({answers: Object.fromEntries(given)})
  }
  return (
    <section className="interrupts" aria-label="The agent waits for your answer">
      {interrupts.map(({interrupt_id, value}) => (
        <div key={interrupt_id} className="interrupt">
          <Icon name="pause" />
          <Ask
            question={questionOf(value)}
            given={answers.has(interrupt_id) ? {value: answers.get(interrupt_id)} : undefined}
            onAnswer={answer => give(interrupt_id, answer)}
          />
        </div>
      ))}
      {interrupts.length > 1 && (
        <p className="hint">
          {answers.size} of {interrupts.length} answered. The run goes on when all are.
        </p>
      )}
    </section>
  )
}

interface AskProps {
  question: Question
  given: {value: unknown} | undefined
  onAnswer(value: unknown): void
}

function Ask({question, given, onAnswer}: AskProps) {
  return (
    <div className="question">
      <p className="question-text">{question.text}</p>
      {'detail' in question && question.detail !== undefined && (
        <JsonView value={question.detail} label="What it is about" />
      )}
      {question.kind === 'review' ? (
        <Review actions={question.actions} onAnswer={onAnswer} />
      ) : (
        <>
          <Choices question={question} given={given} onAnswer={onAnswer} />
          <OpenAnswer folded={question.kind !== 'open'} onAnswer={onAnswer} />
        </>
      )}
    </div>
  )
}

const APPROVAL = [
  {label: 'Approve', value: true},
  {label: 'Reject', value: false}
]

function Choices({question, given, onAnswer}: AskProps) {
  if (question.kind !== 'confirm' && question.kind !== 'choice') return null
  const options = question.kind === 'choice' ? question.options : APPROVAL
  return (
    <fieldset className="row">
      <legend className="visually-hidden">Answers</legend>
      {options.map(({label, value}, index) => (
        <button
          key={label}
          type="button"
          className={index === 0 ? 'button primary' : 'button'}
          aria-pressed={given ? given.value === value : undefined}
          onClick={() => onAnswer(value)}
        >
          {label}
        </button>
      ))}
    </fieldset>
  )
}
