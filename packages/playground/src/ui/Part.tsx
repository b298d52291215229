import {StreamingErrorBoundary} from '@unspool/react'
import {type ReactNode, Suspense} from 'react'

/** A part of the page that is loaded when it is needed. Where that fails, the rest of the page goes on. */
export function Part({name, children}: {name: string; children: ReactNode}) {
  return (
    <StreamingErrorBoundary fallback={({error}) => <Missing name={name} error={error} />}>
      <Suspense fallback={<p className="note part-note">Loading the {name}…</p>}>{children}</Suspense>
    </StreamingErrorBoundary>
  )
}

/** Another version of the page may have been put in its place: then only loading all of it again helps. */
function Missing({name, error}: {name: string; error: Error}) {
  return (
    <div className="part-note">
      <p className="wrong">
        The {name} cannot be shown: {error.message}
      </p>
      <button type="button" className="button" onClick={() => location.reload()}>
        Reload the page
      </button>
    </div>
  )
}
