import type {ConnectionState, Message, Run, RunSnapshot, Timing, UnspoolError, Usage} from '@unspool/client'
import {useCallback, useMemo, useSyncExternalStore} from 'react'
import {quiet, useLeaving} from './lifetime.js'
import {type ClientSource, useClient} from './provider.js'
import {type Followed, NONE, RunSet} from './run-set.js'

/** `submitted`: nothing of the answer has come yet. */
export type ResponseStatus = 'idle' | 'submitted' | 'streaming' | 'completed' | 'failed' | 'cancelled' | 'interrupted'

/** What a component shows of a run. */
export interface RunState {
  readonly status: ResponseStatus
  /** `submitted` or `streaming`. */
  readonly isStreaming: boolean
  /** What was said, by all assistant messages, with an empty line between two. */
  readonly text: string
  /** What was thought, in the same way. */
  readonly reasoning: string
  readonly messages: readonly Message[]
  /** Why it failed, or why following it was given up. */
  readonly error: UnspoolError | undefined
  /** What the run returned, once it has ended. */
  readonly output: unknown
  readonly usage: Usage | undefined
  readonly timing: Timing | undefined
  readonly connection: ConnectionState | undefined
  readonly run: Run | undefined
  /** All that is known of it. */
  readonly snapshot: RunSnapshot | undefined
  /** Cancels the run on the server, which keeps what it has produced. */
  stop(): Promise<void>
}

const NO_MESSAGES: readonly Message[] = []

/** The state of one of the runs. `stop` is for all of them. */
export function useRunState(runs: RunSet, followed: Followed | undefined): RunState {
  const state = useMemo(() => stateOf(followed), [followed])
  const stop = useCallback(
    () => quiet(Promise.all(runs.getSnapshot().map(({run}) => run.stop())).then(() => {})),
    [runs]
  )
  return {...state, stop}
}

function stateOf(followed: Followed | undefined): Omit<RunState, 'stop'> {
  const {run, snapshot} = followed ?? {}
  const status = statusOf(snapshot)
  const messages = snapshot?.messages ?? NO_MESSAGES
  return {
    status,
    isStreaming: isStreaming(status),
    text: said(messages, 'text'),
    reasoning: said(messages, 'reasoning'),
    messages,
    error: snapshot?.problem,
    output: snapshot?.output,
    usage: snapshot?.usage,
    timing: snapshot?.timing,
    connection: snapshot?.connection,
    run,
    snapshot
  }
}

export function isStreaming(status: string): boolean {
  return status === 'submitted' || status === 'streaming'
}

function statusOf(snapshot: RunSnapshot | undefined): ResponseStatus {
  if (!snapshot) return 'idle'
  const {status, problem, last_seq} = snapshot
  if (status !== 'queued' && status !== 'running') return status
  if (problem) return 'failed'
  return last_seq > 1 ? 'streaming' : 'submitted' // the first event only says that it began
}

function said(messages: readonly Message[], kind: 'text' | 'reasoning'): string {
  return messages
    .filter(({role}) => role === 'assistant')
    .map(({parts}) => parts.map(part => (part.type === 'text' && part.kind === kind ? part.text : '')).join(''))
    .filter(Boolean)
    .join('\n\n')
}

/** The runs that this component shows, and follows for as long as it is there. */
export function useRunSet(source: ClientSource): [RunSet, readonly Followed[]] {
  const client = useClient(source)
  const runs = useMemo(() => new RunSet(client), [client])
  useLeaving(
    runs,
    left => left.leave(),
    left => left.back()
  )
  return [runs, useSyncExternalStore(runs.subscribe, runs.getSnapshot, none)]
}

const none = () => NONE
