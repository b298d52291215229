import type {Schemas, UnspoolError} from '@unspool/client'
import {useCallback} from 'react'
import type {ClientSource} from './provider.js'
import {type Load, useLoaded} from './use-loaded.js'

export interface LoadedSchemas {
  readonly schemas: Schemas | undefined
  readonly status: 'loading' | 'ready' | 'failed'
  readonly error: UnspoolError | undefined
  reload(): Promise<void>
}

/** What the agent takes and gives: JSON Schemas, and the files that it accepts. */
export function useSchemas(source: ClientSource = {}): LoadedSchemas {
  const {value, status, error, load} = useLoaded(source, ask)
  return {schemas: value, status, error, reload: useCallback(() => load(ask), [load])}
}

const ask: Load<Schemas> = client => client.schemas()
