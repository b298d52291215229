import {useEffect} from 'react'
import type {ClientSource} from './provider.js'
import {type RunState, useRunSet, useRunState} from './run-state.js'

/** Watches a run, wherever it was started; `undefined`: none. It is not stopped when the component goes. */
export function useRun(runId: string | undefined, source: ClientSource = {}): RunState {
  const [runs, followed] = useRunSet(source)
  useEffect(() => {
    if (runId === undefined) return
    const run = runs.add(runs.client.follow(runId))
    return () => {
      for (const {run: each} of runs.getSnapshot()) runs.remove(each)
      run.detach()
    }
  }, [runs, runId])
  return useRunState(
    runs,
    followed.find(({run}) => run.id === runId)
  )
}
