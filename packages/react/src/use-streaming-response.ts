import type {Run, StartOptions} from '@unspool/client'
import {useCallback} from 'react'
import {quiet, useLatest} from './lifetime.js'
import type {ClientSource} from './provider.js'
import {type RunState, useRunSet, useRunState} from './run-state.js'

export type StreamingResponseOptions = ClientSource & {
  /** What becomes of a run that a later `start` takes the place of: left to itself (default), or stopped. */
  onRestart?: 'detach' | 'stop'
}

export interface StreamingResponse extends RunState {
  /** Starts a run, and shows it in place of the one before. */
  start(input: unknown, options?: StartOptions): Run
  /** Shows nothing again. A run that goes on is left to itself. */
  reset(): void
}

/** One run at a time: a question, and the answer as it comes. */
export function useStreamingResponse(options: StreamingResponseOptions = {}): StreamingResponse {
  const [runs, followed] = useRunSet(options)
  const latest = useLatest(options)
  const reset = useCallback(() => {
    for (const {run} of runs.getSnapshot()) {
      runs.remove(run)
      run.detach()
    }
  }, [runs])
  const start = useCallback(
    (input: unknown, startOptions?: StartOptions) => {
      if (latest.current.onRestart === 'stop') {
        for (const {run} of runs.getSnapshot()) {
          runs.remove(run)
          quiet(run.stop().finally(() => run.detach()))
        }
      } else reset()
      return runs.add(runs.client.start(input, startOptions))
    },
    [runs, latest, reset]
  )
  return {...useRunState(runs, followed[0]), start, reset}
}
