interface FailureProps {
  error: unknown
  onRetry: () => void
}

/** What went wrong, in the server's words: those are written for users. */
export function Failure({error, onRetry}: FailureProps) {
  const refused = error instanceof Error && !(error instanceof TypeError)
  return (
    <div className="failure" role="alert">
      <p>{refused ? error.message : 'The server cannot be reached.'}</p>
      <button type="button" onClick={onRetry}>
        Try again
      </button>
    </div>
  )
}
