/** One run of a source, from its `start` to its `end`. */

import {performance} from 'node:perf_hooks'
import type {ErrorEvent, RunMetrics, StartEvent} from '@unspool/client'
import {type EndStatus, encode, type SourceEvent, type SourceItem} from './events.js'
import {classify, type Failure} from './failures.js'
import {Items} from './items.js'
import type {OnError} from './problems.js'

/** Limits of a run, in milliseconds. */
export interface Timeouts {
  /** Until the first event that carries output. Default 120,000. */
  firstToken?: number
  /** Between two events after that. Default 300,000. */
  idle?: number
  /** Of the whole run. Default 3,600,000. */
  total?: number
}

export interface ExecutionOptions {
  start: StartEvent
  open: (signal: AbortSignal) => AsyncIterable<SourceItem> | PromiseLike<AsyncIterable<SourceItem>>
  /** Takes each event, as JSON. A promise holds the source back until it is fulfilled. */
  emit: (data: string, end?: EndStatus) => void | Promise<void>
  timeouts: Required<Timeouts>
  maxEventBytes: number
  onError: OnError
}

type Stop = 'cancelled' | 'timeout' | 'shutdown'

const STOPPED = Symbol('stopped')
/** Sources that never wait are made to, after so many items: all else in the process would stand still. */
const ITEMS_IN_A_ROW = 256

/** These say nothing that a retry would repeat to the user. */
const SILENT: ReadonlySet<string> = new Set(['message_start', 'step_start', 'step_end', 'state'])

export class Execution {
  readonly #options: ExecutionOptions
  readonly #abort = new AbortController()
  readonly #began = performance.now()
  #stop: Stop | undefined
  #wake: (() => void) | undefined
  #late: {which: string; limit: number} | undefined
  #last = this.#began
  #held: Promise<void> | undefined
  #tokens = 0
  #firstToken: number | undefined
  #lastToken = 0
  #produced = false
  #failed = false
  #interrupted = false
  #output: unknown

  constructor(options: ExecutionOptions) {
    this.#options = options
  }

  /** Stops the source at once; the run ends without waiting for it, and keeps what it produced. */
  stop(why: Stop): void {
    if (this.#stop) return
    this.#stop = why
    this.#abort.abort()
    this.#wake?.()
  }

  /** Runs it to its end. What a source throws ends in the events, and is not thrown. */
  async run(): Promise<EndStatus> {
    const {start, emit} = this.#options
    let failure: Failure | undefined
    const watch = this.#watchTime()
    try {
      await emit(encode(start))
      await this.#pump()
    } catch (error) {
      if (!this.#stop) failure = this.#failure(error)
    } finally {
      clearTimeout(watch.timer)
    }
    return this.#end(failure)
  }

  async #pump(): Promise<void> {
    const {open, start} = this.#options
    if (this.#stop) return
    const items = new Items(start.run_id, event => this.#take(event))
    const source = await this.#unlessStopped(open(this.#abort.signal))
    if (source === STOPPED) return
    const iterator = source[Symbol.asyncIterator]()
    let done = false
    try {
      for (let count = 1; ; count += 1) {
        const step = await this.#unlessStopped(iterator.next())
        if (step === STOPPED) return
        if (step.done) {
          done = true
          this.#output = step.value
          break
        }
        items.take(step.value)
        if (this.#held) await this.#unlessStopped(this.#held)
        else if (count % ITEMS_IN_A_ROW === 0) await new Promise(setImmediate)
        this.#held = undefined
        if (this.#stop) return
      }
      items.close()
    } finally {
      if (!done) close(iterator)
    }
  }

  /** `Promise.race` would keep a reaction per item until the end of the run. */
  #unlessStopped<T>(value: T | PromiseLike<T>): Promise<T | typeof STOPPED> {
    return new Promise((resolve, reject) => {
      this.#wake = () => resolve(STOPPED)
      if (this.#stop) resolve(STOPPED)
      Promise.resolve(value).then(resolve, reject)
    })
  }

  #take(event: SourceEvent): void {
    const data = encode(event, this.#options.maxEventBytes)
    const now = performance.now()
    this.#last = now
    if (event.type === 'token' || event.type === 'reasoning') {
      this.#tokens += 1
      this.#firstToken ??= now
      this.#lastToken = now
    }
    if (event.type === 'interrupt') this.#interrupted = true
    if (event.type === 'error') this.#failed = true
    if (!SILENT.has(event.type) && !(event.type === 'data' && event.transient)) this.#produced = true
    const held = this.#options.emit(data)
    if (held) this.#held = held
  }

  async #end(failure: Failure | undefined): Promise<EndStatus> {
    const {emit, maxEventBytes} = this.#options
    const why = this.#whyStopped() ?? failure
    const status = this.#statusOf(why)
    if (why) await emit(this.#written(why))
    const end = {type: 'end', status, metrics: this.#metrics()}
    if (status !== 'completed' && status !== 'interrupted') {
      await emit(encode(end), status)
      return status
    }
    try {
      await emit(encode({...end, output: this.#output}, maxEventBytes), status)
      return status
    } catch (error) {
      await emit(encode(errorEvent(this.#failure(error))))
      await emit(encode({...end, status: 'failed'}), 'failed')
      return 'failed'
    }
  }

  /** What a source put into its error may be of the wrong type: then that is the error. */
  #written(failure: Failure): string {
    try {
      return encode(errorEvent(failure))
    } catch (error) {
      return encode(errorEvent(this.#failure(new TypeError('an error of the source cannot be sent', {cause: error}))))
    }
  }

  #whyStopped(): Failure | undefined {
    if (this.#stop === 'timeout' && this.#late) {
      const {which, limit} = this.#late
      return {code: 'timeout', message: lateness(which, limit / 1000), retryable: true, detail: {which}}
    }
    if (this.#stop !== 'shutdown') return undefined
    return {code: 'lost', message: 'The server was stopped before the run was done.', retryable: true}
  }

  #statusOf(why: Failure | undefined): EndStatus {
    if (this.#stop === 'cancelled') return 'cancelled'
    if (why || this.#failed) return 'failed'
    return this.#interrupted ? 'interrupted' : 'completed'
  }

  #failure(error: unknown): Failure {
    const failure = classify(error)
    const {errorId} = failure
    this.#options.onError(error, {runId: this.#options.start.run_id, ...(errorId !== undefined && {errorId})})
    return failure
  }

  #metrics(): RunMetrics {
    const first = this.#firstToken
    const spread = first === undefined ? 0 : (this.#lastToken - first) / 1000
    return {
      tokens: this.#tokens,
      elapsed_ms: tenth(performance.now() - this.#began),
      ...(first !== undefined && {ttft_ms: tenth(first - this.#began)}),
      ...(spread > 0 && {tokens_per_second: tenth((this.#tokens - 1) / spread)})
    }
  }

  /** One timer per run, not one per event. */
  #watchTime(): {timer: NodeJS.Timeout | undefined} {
    const {firstToken, idle, total} = this.#options.timeouts
    const watch: {timer: NodeJS.Timeout | undefined} = {timer: undefined}
    const look = () => {
      const waiting = this.#produced ? {which: 'idle', limit: idle} : {which: 'first_token', limit: firstToken}
      const now = performance.now()
      const left = (since: number, limit: number) => since + limit - now
      if (left(this.#began, total) <= 0) this.#late = {which: 'total', limit: total}
      else if (left(this.#last, waiting.limit) <= 0) this.#late = waiting
      if (this.#late) return this.stop('timeout')
      const next = Math.min(left(this.#began, total), left(this.#last, waiting.limit), firstToken, idle)
      watch.timer = setTimeout(look, Math.min(next + 1, LONGEST_TIMER)).unref()
    }
    look()
    return watch
  }
}

/** What `setTimeout` takes. */
const LONGEST_TIMER = 2 ** 31 - 1

/** Tells the source to clean up. It may take its time, and what it throws then concerns nobody: its run has ended. */
function close(iterator: AsyncIterator<SourceItem>): void {
  try {
    Promise.resolve(iterator.return?.()).catch(() => {})
  } catch {
    // Not an async generator, and it cannot be closed.
  }
}

function errorEvent(failure: Failure): ErrorEvent {
  const {code, message, retryable, retryAfter, errorId, detail} = failure
  return {
    type: 'error',
    code,
    message,
    retryable,
    ...(retryAfter !== undefined && {retry_after: retryAfter}),
    ...(errorId !== undefined && {error_id: errorId}),
    ...(detail !== undefined && {detail})
  }
}

function lateness(which: string, seconds: number): string {
  if (which === 'first_token') return `nothing arrived within ${seconds} s`
  return which === 'idle' ? `nothing more arrived for ${seconds} s` : `the run took longer than ${seconds} s`
}

function tenth(value: number): number {
  return Math.round(value * 10) / 10
}
