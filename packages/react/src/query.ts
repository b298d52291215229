import {
  type MutationCacheNotifyEvent,
  type QueryClient,
  type QueryKey,
  queryOptions,
  type UseMutationOptions
} from '@tanstack/react-query'
import type {UnspoolError} from '@unspool/client'
import {type Client, isEnded, type Run, type RunSnapshot, type RunView, type StartOptions} from '@unspool/client'

/** What all queries of one agent begin with. */
export function agentKey(client: Client): QueryKey {
  return ['unspool', client.url]
}

/** The newest threads. */
export function threadsQuery(client: Client) {
  return queryOptions({queryKey: [...agentKey(client), 'threads'], queryFn: () => client.threads()})
}

/** A thread, with the transcripts of its runs. */
export function threadQuery(client: Client, threadId: string) {
  return queryOptions({queryKey: [...agentKey(client), 'threads', threadId], queryFn: () => client.thread(threadId)})
}

/** A run, with its transcript. One that has ended does not change any more, and is not asked for again by itself. */
export function runQuery(client: Client, runId: string) {
  return queryOptions({
    queryKey: [...agentKey(client), 'runs', runId],
    queryFn: () => client.run(runId, {transcript: true}),
    staleTime: ({state}) => (hasEnded(state.data) ? Infinity : 0)
  })
}

function hasEnded(view: RunView | undefined): boolean {
  return view !== undefined && isEnded(view.status)
}

export interface StartVariables extends StartOptions {
  input: unknown
}

export interface RunMutation {
  client: Client
  queryClient: QueryClient
  /** What is out of date after a run. Default: all of this agent. */
  invalidate?: readonly QueryKey[]
  /** Called with the run once it is started: keep it, to `stop()` it. */
  onStart?: (run: Run) => void
  /** Called as the answer comes, once per frame at most. */
  onSnapshot?: (snapshot: RunSnapshot, run: Run) => void
}

/**
 * Options for `useMutation`: it starts a run, streams it, and resolves with its last snapshot, also with that of a run
 * that was stopped or that waits for a person. A run that fails rejects. `reset()`, another `mutate()` and unmounting
 * detach: the run goes on at the server. `run.stop()` cancels it.
 */
export function runMutationOptions(
  options: RunMutation
): UseMutationOptions<RunSnapshot, UnspoolError, StartVariables> {
  const {client, queryClient, invalidate = [agentKey(client)], onStart, onSnapshot} = options
  return {
    mutationKey: [...agentKey(client), 'run'],
    networkMode: 'always', // the client waits for the network itself
    retry: false, // so does it try again
    async mutationFn(variables) {
      const {input, ...start} = variables
      const run = client.start(input, start)
      const unwatch = whenUnobserved(queryClient, variables, run.detach)
      const unsubscribe = run.subscribe(() => onSnapshot?.(run.getSnapshot(), run))
      onStart?.(run)
      try {
        const snapshot = await run.finished
        if (snapshot.status === 'failed' && snapshot.problem) throw snapshot.problem
        return snapshot
      } finally {
        unsubscribe()
        unwatch()
      }
    },
    async onSuccess() {
      await Promise.all(invalidate.map(queryKey => queryClient.invalidateQueries({queryKey})))
    }
  }
}

/** Calls back when nobody looks at the mutation with these variables any more. Returns the way to stop watching. */
function whenUnobserved(queryClient: QueryClient, variables: StartVariables, then: () => void): () => void {
  return queryClient.getMutationCache().subscribe((event: MutationCacheNotifyEvent) => {
    if (event.type === 'observerRemoved' && event.mutation.state.variables === variables) then()
  })
}
