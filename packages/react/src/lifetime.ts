import {useEffect, useInsertionEffect, useRef} from 'react'

/** A ref to what was rendered last, for callbacks that must see it without being new themselves. */
export function useLatest<T>(value: T): {readonly current: T} {
  const latest = useRef(value)
  useInsertionEffect(() => {
    latest.current = value
  })
  return latest
}

/**
 * Calls `leave` once the component is gone, is hidden, or holds another thing. StrictMode's rehearsal of unmounting is
 * none of these. `back` is called where it comes back with a thing that it left: React's `Activity` does that.
 */
export function useLeaving<T extends object>(
  thing: T | undefined,
  leave: (thing: T) => void,
  back?: (thing: T) => void
): void {
  const held = useRef<T>(undefined)
  const left = useRef(new WeakSet<T>())
  const latest = useLatest({leave, back})
  useEffect(() => {
    if (!thing) return
    held.current = thing
    if (left.current.delete(thing)) latest.current.back?.(thing)
    return () => {
      held.current = undefined
      queueMicrotask(() => {
        if (held.current === thing) return
        left.current.add(thing)
        latest.current.leave(thing)
      })
    }
  }, [thing, latest])
}

/** For event handlers, which seldom wait: what goes wrong is in the state, and need not be an unhandled rejection too. */
export function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}

/** The same for a function that promises. */
export function quietly<A extends unknown[], T>(act: (...args: A) => Promise<T>): (...args: A) => Promise<T> {
  return (...args) => quiet(act(...args))
}
