/** Moments at which a connection is worth a look: the network is back, the tab is seen again, the laptop woke up. */

type Listener = (reason: 'online' | 'offline' | 'seen') => void

/** Returns the way to stop listening. Does nothing where there is no window. */
export function onWake(listener: Listener): () => void {
  if (typeof window === 'undefined' || typeof document === 'undefined') return () => {}
  const leaving = new AbortController()
  const {signal} = leaving
  window.addEventListener('online', () => listener('online'), {signal})
  window.addEventListener('offline', () => listener('offline'), {signal})
  window.addEventListener('pageshow', () => listener('seen'), {signal})
  document.addEventListener('visibilitychange', () => document.hidden || listener('seen'), {signal})
  return () => leaving.abort()
}

export function isOffline(): boolean {
  return typeof navigator !== 'undefined' && navigator.onLine === false
}
