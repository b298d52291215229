/** Modules that are loaded when the page first needs them. */

import {useEffect, useSyncExternalStore} from 'react'

/** A module that may not be here yet. */
export interface LazyModule<Module> {
  get(): Module | undefined
  subscribe(changed: () => void): () => void
  load(): void
}

/** A module that `load` brings. If that fails (the server is gone), the next one who needs it tries again. */
export function lazyModule<Module>(load: () => Promise<Module>): LazyModule<Module> {
  const listeners = new Set<() => void>()
  let module: Module | undefined
  let loading = false
  return {
    get: () => module,
    subscribe(changed) {
      listeners.add(changed)
      return () => listeners.delete(changed)
    },
    load() {
      if (module || loading) return
      loading = true
      load().then(
        loaded => {
          module = loaded
          for (const changed of [...listeners]) changed()
        },
        () => {
          loading = false
        }
      )
    }
  }
}

/** The module once it is here and while it is `needed`, else undefined. */
export function useLazy<Module>(lazy: LazyModule<Module>, needed: boolean): Module | undefined {
  const module = useSyncExternalStore(lazy.subscribe, lazy.get, lazy.get)
  useEffect(() => {
    if (needed) lazy.load()
  }, [lazy, needed])
  return needed ? module : undefined
}
