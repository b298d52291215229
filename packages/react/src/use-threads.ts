import type {Client, ThreadPage, ThreadSummary, UnspoolError} from '@unspool/client'
import {useCallback} from 'react'
import type {ClientSource} from './provider.js'
import {type Load, useLoaded} from './use-loaded.js'

export interface Threads {
  /** Newest first. */
  readonly threads: readonly ThreadSummary[]
  readonly status: 'loading' | 'ready' | 'failed'
  readonly error: UnspoolError | undefined
  /** Whether there are older ones. */
  readonly hasMore: boolean
  /** Asks for the newest again, as after a turn has ended: give it to a chat as `onFinish`. */
  reload(): Promise<void>
  /** Asks for older ones. */
  loadMore(): Promise<void>
}

/** The caller's conversations, a page at a time. */
export function useThreads(source: ClientSource = {}): Threads {
  const {value, status, error, load} = useLoaded(source, newest)
  const reload = useCallback(() => load(newest), [load])
  const loadMore = useCallback(() => load(older), [load])
  return {threads: value?.threads ?? NO_THREADS, status, error, hasMore: Boolean(value?.next), reload, loadMore}
}

const NO_THREADS: readonly ThreadSummary[] = []

/** Keeps the older ones that are there already. */
const newest: Load<ThreadPage> = async (client, held) => {
  const page = await client.threads()
  if (!held || page.next === null) return page
  const rest = without(held.threads, page.threads)
  return {threads: [...page.threads, ...rest], next: rest.length ? held.next : page.next}
}

const older: Load<ThreadPage> = async (client: Client, held) => {
  if (!held?.next) return held ?? newest(client, held)
  const page = await client.threads({before: held.next})
  return {threads: [...held.threads, ...without(page.threads, held.threads)], next: page.next}
}

function without(threads: ThreadSummary[], others: ThreadSummary[]): ThreadSummary[] {
  const ids = new Set(others.map(({id}) => id))
  return threads.filter(({id}) => !ids.has(id))
}
