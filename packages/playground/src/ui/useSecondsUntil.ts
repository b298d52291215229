import {useEffect, useState} from 'react'

/** Whole seconds until `at` (milliseconds since the Unix epoch), counted down to 0. */
export function useSecondsUntil(at: number | undefined): number {
  const [now, setNow] = useState(() => Date.now())
  const left = at === undefined ? 0 : Math.max(0, Math.ceil((at - now) / 1000))
  const counting = at !== undefined && left > 0
  useEffect(() => {
    if (at === undefined) return
    setNow(Date.now())
    if (!counting) return
    const timer = setInterval(() => setNow(Date.now()), 250)
    return () => clearInterval(timer)
  }, [at, counting])
  return left
}
