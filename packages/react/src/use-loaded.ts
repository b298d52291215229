import type {Client, UnspoolError} from '@unspool/client'
import {useCallback, useEffect, useRef, useState} from 'react'
import {type ClientSource, useClient} from './provider.js'

export interface Loaded<T> {
  readonly value: T | undefined
  readonly status: 'loading' | 'ready' | 'failed'
  readonly error: UnspoolError | undefined
  /** Loads the next value from the one that is there. Of several at a time, the last one counts. */
  load(next: Load<T>): Promise<void>
}

export type Load<T> = (client: Client, value: T | undefined) => Promise<T>

interface Held<T> {
  client: Client
  value?: T
  error?: UnspoolError
  loading: boolean
}

/** What a call to the agent answers, loaded with the component and with each new client. */
export function useLoaded<T>(source: ClientSource, first: Load<T>): Loaded<T> {
  const client = useClient(source)
  const [state, setState] = useState<Held<T>>()
  const held = useRef<Held<T>>(undefined)
  const load = useCallback(
    async (next: Load<T>) => {
      const {value} = held.current?.client === client ? held.current : {}
      const kept = value === undefined ? {client} : {client, value}
      const mine: Held<T> = {...kept, loading: true}
      const hold = (now: Held<T>) => {
        held.current = now
        setState(now)
      }
      hold(mine)
      const now = await next(client, value).then(
        (got): Held<T> => ({client, value: got, loading: false}),
        (error: UnspoolError): Held<T> => ({...kept, error, loading: false})
      )
      if (held.current === mine) hold(now)
    },
    [client]
  )
  useEffect(() => {
    void load(first)
  }, [load, first])
  const {value, error, loading = true} = state?.client === client ? state : {}
  return {value, error, status: loading ? 'loading' : error ? 'failed' : 'ready', load}
}
