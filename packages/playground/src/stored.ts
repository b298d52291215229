/** Values that outlive a reload. Where the browser refuses storage, they live as long as the page. */

import {useSyncExternalStore} from 'react'

export interface Stored<T> {
  get(): T
  set(value: T): void
  subscribe(listener: () => void): () => void
}

/** `kind`: `session` ends with the tab, `local` is kept. What is stored and is not of the initial value's type is ignored. */
export function stored<T>(kind: 'local' | 'session', key: string, initial: T): Stored<T> {
  const name = `unspool:${key}`
  const listeners = new Set<() => void>()
  let value = read(kind, name, initial)
  return {
    get: () => value,
    set(next) {
      value = next
      write(kind, name, JSON.stringify(next))
      for (const listener of listeners) listener()
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    }
  }
}

export function useStored<T>(store: Stored<T>): [T, (value: T) => void] {
  return [useSyncExternalStore(store.subscribe, store.get), store.set]
}

export function readText(kind: 'local' | 'session', name: string): string | undefined {
  try {
    return storage(kind).getItem(name) ?? undefined
  } catch {
    return undefined
  }
}

/** An empty text removes it. */
export function write(kind: 'local' | 'session', name: string, text: string): void {
  try {
    if (text) storage(kind).setItem(name, text)
    else storage(kind).removeItem(name)
  } catch {
    // Refused, or full: it lives as long as the page.
  }
}

function read<T>(kind: 'local' | 'session', name: string, initial: T): T {
  const text = readText(kind, name)
  if (text === undefined) return initial
  try {
    const found: unknown = JSON.parse(text)
    if (typeof found !== typeof initial || found === null) return initial
    return typeof initial === 'object' ? {...initial, ...(found as T)} : (found as T)
  } catch {
    return initial
  }
}

function storage(kind: 'local' | 'session'): Storage {
  return kind === 'local' ? localStorage : sessionStorage
}
