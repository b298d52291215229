/** An agent that others can mount: runs go on without their readers, and can be followed again. */

import type {Router} from 'express'
import {MemoryLog} from './log.js'
import {type AgentOptions, settings as settingsOf} from './options.js'
import {makeRouter} from './routes.js'
import {Runner, type Source} from './runner.js'

export interface Agent {
  /** Serves the native protocol below the path that it is mounted at: `app.use('/agent', agent.router)`. */
  readonly router: Router
  /**
   * Takes no more runs, and resolves once those that go on have ended. What has not ended after `grace` milliseconds
   * (default 10,000) is stopped, and ends as `lost`. To be called before the HTTP server's own `close`.
   */
  close(options?: {grace?: number}): Promise<void>
}

/**
 * Serves `source` with an event log in memory: for one process, and gone with it.
 *
 * @throws {RangeError} A limit that cannot work.
 */
export function createAgent(source: Source, options: AgentOptions = {}): Agent {
  const settings = settingsOf(options)
  const {name, maxRuns, maxEventBytes, timeouts, onError, retention} = settings
  const log = new MemoryLog({retention})
  const runner = new Runner({log, source, name, maxRuns, maxEventBytes, timeouts, onError})
  return {
    router: makeRouter({log, runner, settings}),
    close: ({grace = 10_000} = {}) => runner.close(grace)
  }
}
