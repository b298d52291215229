/** What an agent may be told, with its defaults and limits. Durations are milliseconds. */

import type {JsonSchema} from '@unspool/client'
import type {Request} from 'express'
import {MAX_EVENT_BYTES} from './events.js'
import type {Timeouts} from './execution.js'
import type {Retention} from './log.js'
import {logToConsole, type OnError} from './problems.js'

export interface AgentOptions {
  /** What its runs are said to come from. Default `agent`. */
  name?: string
  description?: string
  /** JSON Schemas of what it takes and gives. */
  schemas?: {input?: JsonSchema; output?: JsonSchema; config?: JsonSchema}
  /** Media types that messages may attach: `image/png`, `image/*`. Default: none. */
  accepts?: readonly string[]
  /** Says who is asking, by an id. Nothing, or an empty id: nobody, and the answer is a 401. Default: all are one. */
  authenticate?: (req: Request) => string | null | undefined | Promise<string | null | undefined>
  /** Of a request. Default 1 MiB. A body parser of the app that comes first has limits of its own. */
  maxBodyBytes?: number
  /** Of one event, as JSON; a larger one fails its run. Default, and most: 4 MiB. */
  maxEventBytes?: number
  /** At one time; a further one is refused as `overloaded`. Default 1,000. */
  maxRuns?: number
  /** What is kept of runs that have ended. */
  retention?: Retention
  timeouts?: Timeouts
  /** Silence after which a follower gets a sign of life. Default 15,000. */
  heartbeat?: number
  /** What the socket of a follower may take to drain before it is closed. Default 30,000. */
  drainTimeout?: number
  /** Told of all that clients are not told. Default: the console. What it throws is ignored. */
  onError?: OnError
}

export interface Settings {
  name: string
  description: string | undefined
  schemas: {input: JsonSchema; output: JsonSchema; config: JsonSchema}
  accepts: readonly string[]
  authenticate: NonNullable<AgentOptions['authenticate']>
  maxBodyBytes: number
  maxEventBytes: number
  maxRuns: number
  retention: Retention
  timeouts: Required<Timeouts>
  heartbeat: number
  drainTimeout: number
  onError: OnError
}

const MIB = 1024 * 1024

/** @throws {RangeError} A limit that cannot work. */
export function settings(options: AgentOptions): Settings {
  const {retention = {}, maxEventBytes = MAX_EVENT_BYTES} = options
  notNegative('retention.maxRuns', retention.maxRuns)
  notNegative('retention.maxAge', retention.maxAge)
  notNegative('retention.forgetAfter', retention.forgetAfter)
  if (maxEventBytes > MAX_EVENT_BYTES) throw new RangeError(`maxEventBytes must be at most ${MAX_EVENT_BYTES}`)
  return {
    name: options.name ?? 'agent',
    description: options.description,
    schemas: {input: {}, output: {}, config: {}, ...options.schemas},
    accepts: options.accepts ?? [],
    authenticate: options.authenticate ?? (() => 'anonymous'),
    maxBodyBytes: positive('maxBodyBytes', options.maxBodyBytes ?? MIB),
    maxEventBytes: positive('maxEventBytes', maxEventBytes),
    maxRuns: positive('maxRuns', options.maxRuns ?? 1000),
    retention,
    ...streaming(options)
  }
}

export interface StreamSettings {
  timeouts: Required<Timeouts>
  heartbeat: number
  drainTimeout: number
  onError: OnError
}

/** What an agent and a single stream have in common. @throws {RangeError} A limit that cannot work. */
export function streaming(options: Partial<Omit<StreamSettings, 'timeouts'>> & {timeouts?: Timeouts}): StreamSettings {
  const {firstToken = 120_000, idle = 300_000, total = 3_600_000} = options.timeouts ?? {}
  positive('timeouts.firstToken', firstToken)
  positive('timeouts.idle', idle)
  positive('timeouts.total', total)
  return {
    timeouts: {firstToken, idle, total},
    heartbeat: positive('heartbeat', options.heartbeat ?? 15_000),
    drainTimeout: positive('drainTimeout', options.drainTimeout ?? 30_000),
    onError: harmless(options.onError ?? logToConsole)
  }
}

function positive(name: string, value: number): number {
  if (!(value > 0)) throw new RangeError(`${name} must be positive; it is ${value}`)
  return value
}

function notNegative(name: string, value = 0): void {
  if (!(value >= 0)) throw new RangeError(`${name} must not be negative; it is ${value}`)
}

/** A logger that fails must not take the runs down. */
function harmless(onError: OnError): OnError {
  return (error, report) => {
    try {
      onError(error, report)
    } catch {
      // There is nobody left to tell.
    }
  }
}
