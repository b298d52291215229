/** A run that is followed: through lost connections, restarts of the server and sleep, without a gap or a double. */

import {errorOf, UnspoolError} from './errors.js'
import type {UnspoolRecord} from './events.js'
import {type ApplyPatch, FoldWith} from './fold-with.js'
import {Guard} from './guard.js'
import type {Http} from './http.js'
import {type Begin, type Link, notLoaded, runPath, type Sink} from './links.js'
import type {Scheduler} from './schedule.js'
import {Stopwatch} from './stopwatch.js'
import type {Backoff, ConnectionState, Run, RunSnapshot, RunView, Timeouts} from './types.js'
import {isOffline, onWake} from './wake.js'

const SILENCE_MS = 45_000
/** A connection that was silent for so long is made anew when the device wakes up: a heartbeat is due every 15 s. */
const STALE_MS = 20_000
/** Tries after the first to tell the server that a run is to stop. */
const STOP_TRIES = 4
/** Broken streams in a row that are taken for bad luck. */
const BAD_STREAMS = 3

/** What the runs of a client share. */
export interface Surroundings {
  http: Http
  scheduler: Scheduler
  timeouts: Timeouts
  backoff: Backoff
  /** The link to use now. */
  link(): Link
  /** Told when a link proved to be held back. Says whether `link()` is another one now. */
  heldBack(link: Link): boolean
  /** Told when a link cannot be opened. */
  unusable(link: Link): void
  log: ((line: string) => void) | undefined
  left(run: FollowedRun): void
}

export class FollowedRun implements Run {
  id: string
  readonly records: UnspoolRecord[] = []
  readonly finished: Promise<RunSnapshot>

  readonly #around: Surroundings
  readonly #fold = new FoldWith((before, patch) => this.#applyPatch?.(before, patch))
  #applyPatch: ApplyPatch | undefined
  #waiting: UnspoolRecord[] | undefined
  #loading: Promise<void> | undefined
  readonly #watch = new Stopwatch()
  readonly #listeners = new Set<() => void>()
  readonly #leaving = new AbortController()
  readonly #unlisten: () => void
  readonly #startedHere: boolean
  #begin: Begin | undefined
  #opened = false
  #connection: ConnectionState
  #problem: UnspoolError | undefined
  #closed = false
  #snapshot: RunSnapshot | undefined
  /** The one connection, or the one wait, that goes on now. */
  #attempt = new AbortController()
  #guard: Guard | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #waiters = new Set<() => void>()
  #tell = () => {
    for (const listener of [...this.#listeners]) listener()
  }

  constructor(around: Surroundings, id: string, begin: Begin | undefined, signal: AbortSignal | undefined) {
    this.#around = around
    this.id = id
    this.#begin = begin
    this.#startedHere = begin !== undefined
    this.#connection = {state: 'connecting', transport: around.link().name, buffered: false}
    this.#arm()
    this.#unlisten = onWake(reason => this.#wake(reason))
    this.finished = this.#follow()
    this.finished.catch(() => {}) // it is in the snapshot, too: not everybody asks for it here
    if (signal?.aborted) this.detach()
    else signal?.addEventListener('abort', () => this.detach(), {signal: this.#leaving.signal})
  }

  // -- looking -------------------------------------------------------------------------------------------

  getSnapshot = (): RunSnapshot => {
    this.#snapshot ??= {
      ...this.#fold.transcript(),
      connection: this.#connection,
      timing: this.#watch.timing(),
      ...(this.#problem && {problem: this.#problem})
    }
    return this.#snapshot
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<UnspoolRecord, void> {
    for (let at = 0; ; at += 1) {
      while (at >= this.records.length) {
        if (this.#closed) {
          if (this.#problem && !this.#fold.ended) throw this.#problem
          return
        }
        await this.#more()
      }
      yield this.records[at] as UnspoolRecord
    }
  }

  /** Resolves when something came, or nothing will. */
  #more(): Promise<void> {
    return new Promise(resolve => this.#waiters.add(resolve))
  }

  #wakeWaiters(): void {
    for (const resolve of this.#waiters) resolve()
    this.#waiters.clear()
  }

  #changed(tokens = 0): void {
    this.#snapshot = undefined
    this.#around.scheduler.request(this.#tell, tokens)
  }

  #connect(change: Partial<ConnectionState>): void {
    const {buffered} = this.#connection
    this.#connection = {state: 'open', transport: this.#around.link().name, buffered, ...change}
    this.#changed()
  }

  // -- acting --------------------------------------------------------------------------------------------

  async stop(): Promise<void> {
    for (let failures = 0; !this.#fold.ended; failures += 1) {
      try {
        await this.#around.http.json<RunView>(`${runPath(this.id)}/cancel`, {body: {}})
        if (this.#connection.state !== 'open') this.reconnect()
        return
      } catch (error) {
        const {code, recoverable} = error as UnspoolError
        if (code === 'conflict') return // it has ended by itself
        // The start may be on its way still, also where it was given up on this side.
        const coming = code === 'not_found' && this.#startedHere && !this.#opened
        if (failures >= STOP_TRIES || !(recoverable || coming)) throw error
        await (coming && !this.#closed
          ? this.#more()
          : this.#sleep(failures, error as UnspoolError, this.#leaving.signal))
      }
    }
  }

  detach = (): void => {
    if (!this.#closed) this.#leave(new UnspoolError('cancelled', 'The run is no longer followed. It goes on.'))
  }

  reconnect = (): void => {
    this.#attempt.abort()
  }

  #wake(reason: 'online' | 'offline' | 'seen'): void {
    if (reason === 'offline') {
      if (this.#connection.state === 'waiting') this.#connect({...this.#connection, state: 'offline'})
      return
    }
    const {state} = this.#connection
    const waiting = state === 'waiting' || state === 'offline'
    if (waiting || performance.now() - (this.#guard?.heard ?? 0) > STALE_MS) this.reconnect()
  }

  // -- following -----------------------------------------------------------------------------------------

  async #follow(): Promise<RunSnapshot> {
    await Promise.resolve() // so that whoever made the run can listen first
    let failures = 0
    let bad = 0
    while (!this.#closed) {
      const before = this.#fold.lastSeq
      const error = await this.#once()
      if (this.#fold.ended || this.#closed) break
      if (this.#fold.lastSeq > before) failures = bad = 0
      if (error?.code === 'parse') bad += 1
      failures += 1
      if (error && !this.#mayPass(error, bad)) this.#leave(error)
      else if (failures >= (this.#around.backoff.attempts ?? Infinity)) {
        this.#leave(error ?? new UnspoolError('network', 'The server closes the connection again and again.'))
      } else await this.#pause(failures - 1, error)
    }
    if (this.#fold.ended) this.#finish()
    else throw this.#problem
    return this.getSnapshot()
  }

  /** Whether connecting again may help. */
  #mayPass(error: UnspoolError, bad: number): boolean {
    if (error.code === 'parse') return bad < BAD_STREAMS
    if (error.code === 'lost') return error.status === undefined
    return error.recoverable || error.code === 'internal'
  }

  /** Connects once. Returns what went wrong, if anything did. */
  async #once(): Promise<UnspoolError | undefined> {
    const link = this.#around.link()
    this.#attempt = new AbortController()
    const {signal} = this.#attempt
    const dead = () => this.#attempt.abort()
    const guard = new Guard(this.#around.timeouts.silence ?? SILENCE_MS, dead, () => void this.#suspect(link, signal))
    this.#guard = guard
    this.#connect({state: 'connecting'})
    try {
      await link.follow({runId: this.id, after: this.#fold.lastSeq, begin: this.#begin}, this.#sink(guard), signal)
      await this.#loading
      return undefined
    } catch (error) {
      if (signal.aborted) return this.#loading?.then(nothing, (failed: UnspoolError) => failed)
      if (this.#connection.state === 'connecting') this.#around.unusable(link)
      if (error instanceof UnspoolError) return error
      return new UnspoolError('internal', 'Following the run failed on this side.', {cause: error, recoverable: false})
    } finally {
      guard.release()
    }
  }

  #sink(guard: Guard): Sink {
    return {
      opened: () => {
        if (this.#connection.state === 'open') return
        this.#opened = true
        this.#around.log?.(`run ${this.id}: open, from ${this.#fold.lastSeq}`)
        this.#connect({state: 'open'})
        this.#wakeWaiters()
      },
      alive: () => guard.alive(),
      records: records => this.#receive(records)
    }
  }

  /** Most agents send no patches. What applies them is loaded when the first one comes; what comes meanwhile waits. */
  #receive(records: UnspoolRecord[]): void {
    if (this.#waiting) this.#waiting.push(...records)
    else if (this.#applyPatch || !records.some(isPatch)) this.#take(records)
    else {
      this.#waiting = records
      this.#loading = this.#loadPatch()
      this.#loading.catch(() => this.#attempt.abort())
    }
  }

  async #loadPatch(): Promise<void> {
    try {
      this.#applyPatch = (await import('./patch.js').catch(notLoaded)).applyPatch
      this.#take(this.#waiting ?? [])
    } finally {
      this.#waiting = undefined
    }
  }

  #take(records: UnspoolRecord[]): void {
    if (this.#closed) return
    let tokens = 0
    for (const record of records) {
      if (!this.#fold.fold(record)) continue
      this.#begin = undefined
      // The server may have found a run that the same was asked of: by a key, or as the answer to an interrupt.
      if (record.event.type === 'start') this.id = record.event.run_id
      this.records.push(record)
      this.#watch.record(record.event)
      if (record.event.type === 'token') tokens += 1
      this.#around.log?.(`run ${this.id}: ${record.seq} ${JSON.stringify(record.event)}`)
    }
    this.#changed(tokens)
    this.#arm()
    this.#wakeWaiters()
    if (this.#fold.ended) this.reconnect() // nothing follows an end: the connection is of no more use
  }

  /** Backs off before the next try: exponential with full jitter, and no less than the server asks for. */
  async #pause(failures: number, error: UnspoolError | undefined): Promise<void> {
    this.#watch.reconnects += 1
    this.#attempt = new AbortController()
    await this.#sleep(failures, error, this.#attempt.signal, retryAt => {
      this.#around.log?.(`run ${this.id}: ${error?.message ?? 'cut'}, next try at ${new Date(retryAt).toISOString()}`)
      this.#connect({state: isOffline() ? 'offline' : 'waiting', retryAt, ...(error && {error})})
    })
  }

  #sleep(
    failures: number,
    error: UnspoolError | undefined,
    signal: AbortSignal,
    tell?: (retryAt: number) => void
  ): Promise<void> {
    const {first = 250, cap = 10_000} = this.#around.backoff
    const ms = Math.max(Math.random() * Math.min(cap, first * 2 ** failures), error?.retryAfter ?? 0)
    tell?.(Date.now() + ms)
    return new Promise(resolve => {
      if (signal.aborted && tell) return resolve()
      const timer = setTimeout(resolve, ms)
      signal.addEventListener(
        'abort',
        () => {
          clearTimeout(timer)
          resolve()
        },
        {once: true}
      )
    })
  }

  // -- guarding ------------------------------------------------------------------------------------------

  /** A server sends at once, if only that it is there. If it has events that are not here, something gathers them. */
  async #suspect(link: Link, signal: AbortSignal): Promise<void> {
    const view = await this.#around.http.json<RunView>(runPath(this.id)).catch(() => undefined)
    if (signal.aborted || this.#closed || !view || view.last_seq <= this.#fold.lastSeq) return
    if (this.#markHeldBack(link)) this.#attempt.abort()
  }

  #markHeldBack(link: Link): boolean {
    this.#connection = {...this.#connection, buffered: true}
    this.#changed()
    this.#around.log?.(`run ${this.id}: the stream is held back, by a proxy that buffers`)
    return this.#around.heldBack(link)
  }

  /** The time limits of `timeouts`, as one timer. */
  #arm(): void {
    clearTimeout(this.#timer)
    if (this.#fold.ended || this.#closed) return
    const {firstToken = Infinity, idle = Infinity, total = Infinity} = this.#around.timeouts
    const {began, last, first} = this.#watch
    const limits: [number, string][] = [
      [began + total, 'The run took too long.'],
      [(last ?? began) + idle, 'The run has been silent for too long.'],
      [first === undefined ? began + firstToken : Infinity, 'The first token took too long.']
    ]
    const [due, message] = limits.reduce((one, other) => (other[0] < one[0] ? other : one))
    if (due < Infinity) this.#timer = setTimeout(() => this.#expire(message), Math.max(0, due - performance.now()))
  }

  /** Whoever does not wait any longer should not pay any longer, either. */
  #expire(message: string): void {
    this.#leave(new UnspoolError('timeout', message))
    this.stop().catch(error => this.#around.log?.(`run ${this.id}: it could not be stopped: ${error}`))
  }

  // -- ending --------------------------------------------------------------------------------------------

  #finish(): void {
    const {error, status, metrics} = this.#fold.transcript()
    if (error && status !== 'completed') this.#problem = errorOf(error)
    if (this.#startedHere && this.#watch.cameAtOnce(metrics?.elapsed_ms)) this.#markHeldBack(this.#around.link())
    this.#close()
  }

  #leave(problem: UnspoolError): void {
    this.#problem = problem
    this.#close()
  }

  #close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#unlisten()
    this.#connection = {...this.#connection, state: 'closed'}
    this.#snapshot = undefined
    this.#leaving.abort()
    this.#attempt.abort()
    this.#wakeWaiters()
    this.#around.left(this)
    this.#around.scheduler.flush(this.#tell)
  }
}

function nothing(): undefined {}

function isPatch({event}: UnspoolRecord): boolean {
  return event.type === 'state' && event.patch !== undefined
}
