/** The event log: runs and their records, in memory, gone with the process. */

import type {RunStatus} from '@unspool/client'
import type {LogRecord} from './codec.js'
import {conflict, cursorExpired, cursorUnknown, idempotencyConflict, runNotFound} from './errors.js'
import type {EndStatus} from './events.js'
import {answered, markReplaced} from './threads.js'
import {titleOf} from './title.js'

/** What is kept of runs that have ended; live runs are never touched. */
export interface Retention {
  /** Ended runs that keep their events; the oldest go first. Default 1,000. */
  maxRuns?: number
  /** Milliseconds since the end of a run after which its events go. Default: a day. */
  maxAge?: number
  /** Milliseconds after which the run itself goes: asking for it is a 404 then, and not a 410. Default: `maxAge`. */
  forgetAfter?: number
}

/** The part of a request that decides what the source does. */
export interface RunRequest {
  readonly input: unknown
  readonly config: Readonly<Record<string, unknown>>
  readonly threadId?: string | undefined
  readonly replaces?: string | undefined
  readonly resumes?: string | undefined
  readonly answer?: Readonly<Record<string, unknown>> | undefined
}

export interface NewRun {
  id: string
  owner: string
  request: RunRequest
  /** Two requests are the same if this is. */
  hash: string
  /** The caller's `Idempotency-Key`. */
  key: string | undefined
}

export interface Feedback {
  key: string
  at: number
  score?: number | boolean
  value?: unknown
  comment?: string
}

/** A run, and what is known of it. Times are seconds since the Unix epoch. */
export class LoggedRun {
  readonly id: string
  readonly owner: string
  readonly hash: string
  readonly key: string | undefined
  readonly createdAt: number
  readonly title: string | null
  readonly feedback = new Map<string, Feedback>()
  request: RunRequest
  status: RunStatus = 'running'
  endedAt: number | undefined
  lastSeq = 0
  cancelRequested = false
  /** A later run took its place. */
  replaced = false
  #records: LogRecord[] = []
  readonly #listeners = new Set<() => void>()

  constructor({id, owner, request, hash, key}: NewRun, createdAt: number) {
    this.id = id
    this.owner = owner
    this.request = request
    this.hash = hash
    this.key = key
    this.createdAt = createdAt
    this.title = titleOf(request.input)
  }

  /** The oldest record that is kept. */
  get firstSeq(): number {
    return this.lastSeq - this.#records.length + 1
  }

  get ended(): boolean {
    return this.endedAt !== undefined
  }

  get records(): readonly LogRecord[] {
    return this.#records
  }

  append(data: string, at: number, end?: EndStatus): void {
    this.lastSeq += 1
    this.#records.push({seq: this.lastSeq, at, data})
    if (end) {
      this.status = end
      this.endedAt = at
    }
    for (const listener of this.#listeners) listener()
  }

  /**
   * What follows `after`: at most so many records, and about so many characters. Empty: nothing does, yet.
   *
   * @throws {Refusal} `cursor_unknown`, or `cursor_expired`: retention removed it.
   */
  read(after: number, limit = 500, characters = 256 * 1024): readonly LogRecord[] {
    if (after > this.lastSeq) throw cursorUnknown(after, this.lastSeq)
    if (after + 1 < this.firstSeq) throw cursorExpired(after, this.firstSeq)
    const from = after + 1 - this.firstSeq
    let to = from
    for (let size = 0; to < this.#records.length && to < from + limit && size < characters; to += 1) {
      size += this.#records[to]?.data.length ?? 0
    }
    return this.#records.slice(from, to)
  }

  /** Calls `listener` at each new record, until the function that this returns is called. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Forgets what was said, on both sides. */
  empty(): void {
    this.#records = []
    this.request = {...this.request, input: undefined, config: {}}
  }
}

export interface LogOptions {
  retention?: Retention | undefined
  /** Milliseconds since the Unix epoch. */
  clock?: () => number
}

const DAY = 86_400_000

export class MemoryLog {
  readonly #runs = new Map<string, LoggedRun>()
  readonly #keys = new Map<string, LoggedRun>()
  readonly #owners = new Index()
  readonly #threads = new Index()
  /** Ended, with their events and without; those that ended first come first. */
  readonly #full = new Set<LoggedRun>()
  readonly #empty = new Set<LoggedRun>()
  readonly #retention: Required<Retention>
  readonly #clock: () => number

  constructor({retention = {}, clock = Date.now}: LogOptions = {}) {
    const {maxRuns = 1000, maxAge = DAY, forgetAfter = maxAge} = retention
    this.#retention = {maxRuns, maxAge, forgetAfter}
    this.#clock = clock
  }

  /** Seconds since the Unix epoch. */
  now(): number {
    return this.#clock() / 1000
  }

  /**
   * The run that the same request made before, if there is one.
   *
   * @throws {Refusal} The id was used for another request or by another owner; the key for another request. Or the
   *   interrupts that it answers were answered in another way.
   */
  find(wanted: NewRun): LoggedRun | undefined {
    const {id, owner, hash, key, request} = wanted
    const known = this.#runs.get(id)
    if (known) {
      if (known.owner === owner && known.hash === hash) return known
      throw conflict(`the run id '${id}' was already used for another request; choose a new one`, id)
    }
    const {resumes, threadId} = request
    if (key === undefined) return resumes && threadId ? answered(wanted, this.thread(owner, threadId)) : undefined
    const keyed = this.#keys.get(pair(owner, key))
    if (keyed && keyed.hash !== hash) throw idempotencyConflict(key)
    return keyed
  }

  /**
   * Adds a run that {@link find} did not find, in place of those that it replaces.
   *
   * @throws {Refusal} It may not replace what it names. Nothing has changed then.
   */
  create(wanted: NewRun): LoggedRun {
    const {id, owner, key, request} = wanted
    const {threadId, replaces} = request
    if (replaces !== undefined) {
      markReplaced(this.#runs.get(replaces), wanted, threadId === undefined ? [] : this.thread(owner, threadId))
    }
    const run = new LoggedRun(wanted, this.now())
    this.#runs.set(id, run)
    this.#owners.add(owner, run)
    if (threadId !== undefined) this.#threads.add(pair(owner, threadId), run)
    if (key !== undefined) this.#keys.set(pair(owner, key), run)
    this.trim()
    return run
  }

  append(run: LoggedRun, data: string, end?: EndStatus): void {
    run.append(data, this.now(), end)
    if (!end) return
    this.#full.add(run)
    this.trim()
  }

  /** @throws {Refusal} `not_found`: there is no such run, or it is not the owner's; the two are not told apart. */
  get(id: string, owner: string): LoggedRun {
    const run = this.#runs.get(id)
    if (run?.owner !== owner) throw runNotFound(id)
    return run
  }

  /** The owner's runs, newest first. */
  list(owner: string): LoggedRun[] {
    return this.#owners.get(owner).reverse()
  }

  /** The runs of a thread, oldest first. */
  thread(owner: string, threadId: string): LoggedRun[] {
    return this.#threads.get(pair(owner, threadId))
  }

  /** Removes what is not to be kept. It looks at that, and at nothing else. */
  trim(): void {
    const {maxRuns, maxAge, forgetAfter} = this.#retention
    const now = this.#clock()
    const age = (run: LoggedRun) => now - (run.endedAt ?? 0) * 1000
    for (const run of this.#full) {
      if (this.#full.size <= maxRuns && age(run) <= maxAge) break
      run.empty()
      this.#full.delete(run)
      this.#empty.add(run)
    }
    for (const run of this.#empty) {
      if (age(run) <= forgetAfter) break
      this.#empty.delete(run)
      this.#forget(run)
    }
  }

  #forget(run: LoggedRun): void {
    const {id, owner, key, request} = run
    this.#runs.delete(id)
    this.#owners.delete(owner, run)
    if (request.threadId !== undefined) this.#threads.delete(pair(owner, request.threadId), run)
    if (key !== undefined) this.#keys.delete(pair(owner, key))
  }
}

/** Runs by a key, oldest first. */
class Index {
  readonly #runs = new Map<string, Set<LoggedRun>>()

  get(key: string): LoggedRun[] {
    return [...(this.#runs.get(key) ?? [])]
  }

  add(key: string, run: LoggedRun): void {
    const runs = this.#runs.get(key) ?? new Set()
    this.#runs.set(key, runs.add(run))
  }

  delete(key: string, run: LoggedRun): void {
    const runs = this.#runs.get(key)
    runs?.delete(run)
    if (runs?.size === 0) this.#runs.delete(key)
  }
}

function pair(owner: string, name: string): string {
  return JSON.stringify([owner, name])
}
