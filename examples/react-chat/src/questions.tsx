import type {InterruptEvent, UnspoolError} from '@unspool/client'
import type {FormEvent} from 'react'

interface QuestionsProps {
  interrupts: readonly InterruptEvent[]
  onAnswer: (answer: {answers: Record<string, unknown>}) => void
}

/** What the agent wants to know before it goes on. */
export function Questions({interrupts, onAnswer}: QuestionsProps) {
  if (interrupts.length === 0) return null
  const answer = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    onAnswer({answers: Object.fromEntries(new FormData(event.currentTarget))})
  }
  return (
    <form className="questions" onSubmit={answer}>
      {interrupts.map(({interrupt_id: id, value}) => {
        const {question, options} = asked(value)
        return (
          <label key={id} htmlFor={id}>
            {question}
            {options ? (
              <select name={id} id={id}>
                {options.map(option => (
                  <option key={option}>{option}</option>
                ))}
              </select>
            ) : (
              <input name={id} id={id} required />
            )}
          </label>
        )
      })}
      <button type="submit">Answer</button>
    </form>
  )
}

/** An interrupt carries whatever the agent likes: here a text, or `{question, options}`. */
function asked(value: unknown): {question: string; options?: string[]} {
  if (typeof value === 'string') return {question: value}
  const {question, options} = (value ?? {}) as {question?: unknown; options?: unknown}
  const text = typeof question === 'string' ? question : JSON.stringify(value)
  return Array.isArray(options) ? {question: text, options: options.map(String)} : {question: text}
}

interface FailureProps {
  problem: UnspoolError | undefined
  onRetry: () => void
}

export function Failure({problem, onRetry}: FailureProps) {
  return (
    <div className="failure" role="alert">
      <p>{problem?.message ?? 'Something went wrong.'}</p>
      {problem?.errorId && <p className="note">Error {problem.errorId}</p>}
      <button type="button" onClick={onRetry}>
        Try again
      </button>
    </div>
  )
}
