/** Where the reader is: `#agent/thread?run=…`. In the hash, so that the server need not know, under any prefix. */

import {useMemo, useSyncExternalStore} from 'react'

export interface Route {
  readonly agent?: string
  /** Without one, it is a new chat. */
  readonly thread?: string
  /** The run that the inspector shows. */
  readonly run?: string
}

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2)
  const [agent, thread] = path.split('/', 2).map(decoded)
  const run = new URLSearchParams(query).get('run')
  return {...(agent && {agent}), ...(thread && {thread}), ...(run && {run})}
}

export function formatRoute({agent = '', thread, run}: Route): string {
  const path = encodeURIComponent(agent) + (thread ? `/${encodeURIComponent(thread)}` : '')
  return `#${path}${run ? `?run=${encodeURIComponent(run)}` : ''}`
}

/** `replace`: the place before it is not one to go back to. */
export function navigate(route: Route, {replace = false} = {}): void {
  const hash = formatRoute(route)
  if (hash === location.hash) return
  history[replace ? 'replaceState' : 'pushState'](null, '', hash)
  // Neither of the two tells anybody.
  dispatchEvent(new HashChangeEvent('hashchange'))
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => location.hash)
  return useMemo(() => parseRoute(hash), [hash])
}

function subscribe(listener: () => void): () => void {
  addEventListener('hashchange', listener)
  addEventListener('popstate', listener)
  return () => {
    removeEventListener('hashchange', listener)
    removeEventListener('popstate', listener)
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
