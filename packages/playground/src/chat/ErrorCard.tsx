import {useState} from 'react'
import {CopyButton} from '../ui/CopyButton.js'
import {Icon} from '../ui/Icon.js'
import {useSecondsUntil} from '../ui/useSecondsUntil.js'
import {type Problem, titleOf} from './problem.js'

interface ErrorCardProps {
  problem: Problem
  /** What "Retry" does; left out where nothing can be tried. */
  onRetry?: (() => void) | undefined
  /** Where credentials are given. */
  onSettings?: (() => void) | undefined
}

/** What went wrong, and what one can do about it: wait for as long as the server asks, then try again. */
export function ErrorCard({problem, onRetry, onSettings}: ErrorCardProps) {
  const {code, message, recoverable, retryAfter, errorId} = problem
  const [shownAt] = useState(() => Date.now())
  const seconds = useSecondsUntil(recoverable && retryAfter !== undefined ? shownAt + retryAfter : undefined)
  return (
    <div className="error-card">
      <Icon name="alert" />
      <div>
        <p className="error-title">
          {titleOf(problem)} <code>{code}</code>
        </p>
        <p>{message}</p>
        {errorId && (
          <p className="error-id">
            <span>
              Error id <code>{errorId}</code>: the server’s log explains it.
            </span>
            <CopyButton label="Copy error id" text={() => errorId} />
          </p>
        )}
        <div className="row">
          {recoverable && onRetry && (
            <button type="button" className="button" disabled={seconds > 0} onClick={onRetry}>
              {seconds > 0 ? `Retry in ${seconds} s` : 'Retry'}
            </button>
          )}
          {code === 'auth' && onSettings && (
            <button type="button" className="button" onClick={onSettings}>
              Settings
            </button>
          )}
        </div>
      </div>
    </div>
  )
}
