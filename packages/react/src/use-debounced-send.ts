import {useCallback, useEffect, useRef, useState} from 'react'
import {useLatest} from './lifetime.js'

export interface DebouncedSend<A extends unknown[]> {
  /** Sends these arguments once nothing else was given for `wait` milliseconds. */
  send(...args: A): void
  /** Sends what waits, now. */
  flush(): void
  /** Forgets what waits. */
  cancel(): void
  /** Whether something waits. */
  readonly pending: boolean
}

/**
 * Holds calls of `send` back until there is a pause, and then makes the last one. What still waits when the component
 * goes is forgotten. `wait`: milliseconds, default 300.
 */
export function useDebouncedSend<A extends unknown[]>(
  send: (...args: A) => unknown,
  {wait = 300}: {wait?: number} = {}
): DebouncedSend<A> {
  const latest = useLatest({send, wait})
  const waiting = useRef<{args: A; timer: ReturnType<typeof setTimeout>}>(undefined)
  const [pending, setPending] = useState(false)
  const take = useCallback((): A | undefined => {
    const held = waiting.current
    waiting.current = undefined
    clearTimeout(held?.timer)
    setPending(false)
    return held?.args
  }, [])
  const flush = useCallback(() => {
    const args = take()
    if (args) latest.current.send(...args)
  }, [take, latest])
  const later = useCallback(
    (...args: A) => {
      clearTimeout(waiting.current?.timer)
      waiting.current = {args, timer: setTimeout(flush, latest.current.wait)}
      setPending(true)
    },
    [flush, latest]
  )
  const cancel = useCallback(() => void take(), [take])
  useEffect(() => cancel, [cancel])
  return {send: later, flush, cancel, pending}
}
