/** In place of the page, where it cannot be shown. */
export function Failed({error, onRetry}: {error: unknown; onRetry(): void}) {
  return (
    <main className="failed">
      <h1>The playground cannot be shown</h1>
      <p role="alert">{error instanceof Error ? error.message : String(error)}</p>
      <button type="button" className="button primary" onClick={onRetry}>
        Try again
      </button>
    </main>
  )
}
