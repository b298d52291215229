import type {ConnectionState, Run, RunSnapshot, StartOptions} from '@unspool/client'
import {isEnded} from '@unspool/client'
import {useCallback, useMemo} from 'react'
import {quiet} from './lifetime.js'
import type {ClientSource} from './provider.js'
import type {Followed} from './run-set.js'
import {useRunSet} from './run-state.js'

/** A run of many. */
export interface RunOfMany extends RunSnapshot {
  readonly id: string
}

export interface WebSocketStreaming {
  /** In the order in which they were started; also those that have ended. */
  readonly runs: readonly RunOfMany[]
  readonly isStreaming: boolean
  /** Of the socket, while a run uses it. */
  readonly connection: ConnectionState | undefined
  start(input: unknown, options?: StartOptions): Run
  /** Cancels a run on the server, which keeps what it has produced. The others go on. */
  stop(runId: string): Promise<void>
  /** Shows this run no longer; without an id: those that have ended. What goes on is left to itself. */
  remove(runId?: string): void
}

/** Many runs at once over one WebSocket: that of a `url`, or of a `client` made with `transport: 'websocket'`. */
export function useWebSocketStreaming(source: ClientSource = {}): WebSocketStreaming {
  const [set, followed] = useRunSet(source.client ? source : {...source, transport: 'websocket'})
  const start = useCallback(
    (input: unknown, options?: StartOptions) => set.add(set.client.start(input, options)),
    [set]
  )
  const stop = useCallback((runId: string) => quiet(set.find(runId)?.stop() ?? Promise.resolve()), [set])
  const remove = useCallback(
    (runId?: string) => {
      for (const {run, snapshot} of set.getSnapshot()) {
        if (runId === undefined ? !isEnded(snapshot.status) : run.id !== runId) continue
        set.remove(run)
        run.detach()
      }
    },
    [set]
  )
  const runs = useMemo(() => followed.map(shown), [followed])
  const going = runs.filter(({status, problem}) => !isEnded(status) && !problem)
  return {runs, isStreaming: going.length > 0, connection: going.at(-1)?.connection, start, stop, remove}
}

const made = new WeakMap<RunSnapshot, RunOfMany>()

function shown({run, snapshot}: Followed): RunOfMany {
  let one = made.get(snapshot)
  if (!one) {
    one = {...snapshot, id: run.id}
    made.set(snapshot, one)
  }
  return one
}
