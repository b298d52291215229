/**
 * Where a chat's thread is kept, so that a reload finds it again. `session`: in the tab's session storage, by the
 * agent's URL. `hash`: in the page's address, after the `#`, so that it can be shared, and links to threads work.
 */
export type Remember = 'session' | 'hash' | false | ThreadMemory

export interface ThreadMemory {
  get(): string | null | undefined
  /** `undefined`: a thread in which nothing has been asked yet. */
  set(threadId: string | undefined): void
  /** Calls back when another thread is named from outside. Returns the way to stop that. */
  watch?(changed: () => void): () => void
}

export function memoryOf(remember: Remember, url: string): ThreadMemory | undefined {
  if (remember === 'session') return sessionMemory(`unspool:${url}`)
  return remember === 'hash' ? hashMemory : remember || undefined
}

/** A browser may refuse its storage. Then nothing is remembered. */
function sessionMemory(key: string): ThreadMemory {
  return {
    get() {
      try {
        return sessionStorage.getItem(key)
      } catch {
        return undefined
      }
    },
    set(threadId) {
      try {
        if (threadId === undefined) sessionStorage.removeItem(key)
        else sessionStorage.setItem(key, threadId)
      } catch {}
    }
  }
}

const hashMemory: ThreadMemory = {
  get: () => /^#([\w.~-]{1,128})$/.exec(location.hash)?.[1],
  set(threadId) {
    const {pathname, search, hash} = location
    const wanted = threadId === undefined ? '' : `#${threadId}`
    if (hash !== wanted) history.replaceState(history.state, '', pathname + search + wanted)
  },
  watch(changed) {
    window.addEventListener('hashchange', changed)
    return () => window.removeEventListener('hashchange', changed)
  }
}
