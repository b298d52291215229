/** Starts runs, keeps count of those that go on, and ends them. */

import {createHash, randomBytes} from 'node:crypto'
import type {Message, StartEvent} from '@unspool/client'
import {conflict, overloaded} from './errors.js'
import {encode, type SourceItem} from './events.js'
import {Execution, type Timeouts} from './execution.js'
import type {LoggedRun, MemoryLog, NewRun, RunRequest} from './log.js'
import type {OnError} from './problems.js'
import {kept} from './threads.js'
import {transcriptOf} from './transcript.js'

/** One run that a source is asked for. */
export interface Call {
  readonly runId: string
  /** What the client sent: any JSON. Undefined in a run that answers an interrupt. */
  readonly input: unknown
  readonly threadId?: string
  /** What the client sent. */
  readonly config: Readonly<Record<string, unknown>>
  /** Aborted when the run is to stop; hand it on to the model's API. */
  readonly signal: AbortSignal
  /** The interrupted run that this one continues. */
  readonly resumes?: string
  /** The answers to its interrupts, by their ids. */
  readonly answer?: Readonly<Record<string, unknown>>
  /** The run whose place this one takes. */
  readonly replaces?: string
  /** All runs of the thread whose place others took: a source with a memory of its own forgets them. */
  readonly replaced: readonly string[]
  /** What both sides said in the thread before this run, without what was replaced. */
  readonly history: readonly Message[]
}

/**
 * What answers. Yields text and events; what its generator returns, if anything, is the output of the run.
 * What it throws becomes an `error` event: of a {@link SourceError} with its message, else with a safe one.
 */
export type Source = (call: Call) => AsyncIterable<SourceItem> | PromiseLike<AsyncIterable<SourceItem>>

export interface RunnerOptions {
  log: MemoryLog
  source: Source
  name: string
  maxRuns: number
  maxEventBytes: number
  timeouts: Required<Timeouts>
  onError: OnError
}

export interface StartRequest {
  owner: string
  request: RunRequest
  runId?: string | undefined
  key?: string | undefined
}

export class Runner {
  readonly #options: RunnerOptions
  readonly #active = new Map<string, {execution: Execution; ended: Promise<unknown>}>()
  #closing = false

  constructor(options: RunnerOptions) {
    this.#options = options
  }

  /**
   * Starts a run, or finds the one that the same request started before.
   *
   * @throws {Refusal} It cannot be started; nothing has changed then.
   */
  start({owner, request, runId, key}: StartRequest): LoggedRun {
    const {log, maxRuns, name} = this.#options
    const wanted: NewRun = {id: runId ?? newRunId(), owner, request, hash: hashOf(request), key}
    const known = log.find(wanted)
    if (known) return known
    if (this.#closing) throw overloaded('the server is about to stop; try again')
    if (this.#active.size >= maxRuns) throw overloaded(`${maxRuns} runs are under way already; try again later`)
    const start = startEvent(wanted, name, log.now())
    encode(start) // what cannot be written is refused before anything is started
    const run = log.create(wanted)
    this.#execute(run, {...start, created_at: run.createdAt})
    return run
  }

  /** Asks for the run to stop. @throws {Refusal} It has ended in another way. */
  cancel(run: LoggedRun): void {
    if (run.ended && run.status !== 'cancelled') {
      throw conflict(`the run has already ended: it ${run.status === 'interrupted' ? 'was interrupted' : run.status}`)
    }
    run.cancelRequested ||= !run.ended
    this.#active.get(run.id)?.execution.stop('cancelled')
  }

  /** Takes no more runs, lets those that go on end within `grace` milliseconds, and ends the rest as `lost`. */
  async close(grace: number): Promise<void> {
    this.#closing = true
    const late = setTimeout(() => {
      for (const {execution} of this.#active.values()) execution.stop('shutdown')
    }, grace)
    await Promise.all(Array.from(this.#active.values(), ({ended}) => ended))
    clearTimeout(late)
  }

  #execute(run: LoggedRun, start: StartEvent): void {
    const {log, source, maxEventBytes, timeouts, onError} = this.#options
    const thread = run.request.threadId === undefined ? [] : log.thread(run.owner, run.request.threadId)
    const execution = new Execution({
      start,
      timeouts,
      maxEventBytes,
      onError,
      open: signal => source(callOf(run, thread, signal)),
      emit: (data, end) => log.append(run, data, end)
    })
    const ended = execution.run().finally(() => this.#active.delete(run.id))
    this.#active.set(run.id, {execution, ended})
  }
}

function callOf(run: LoggedRun, thread: readonly LoggedRun[], signal: AbortSignal): Call {
  const {input, config, threadId, resumes, answer, replaces} = run.request
  let history: Message[] | undefined
  const before = kept(thread).filter(other => other !== run)
  return {
    runId: run.id,
    input,
    config,
    signal,
    ...(threadId !== undefined && {threadId}),
    ...(resumes !== undefined && {resumes}),
    ...(answer !== undefined && {answer}),
    ...(replaces !== undefined && {replaces}),
    replaced: thread.filter(other => other.replaced).map(({id}) => id),
    /** Folded when it is looked at. */
    get history() {
      history ??= before.flatMap(other => transcriptOf(other).messages)
      return history
    }
  }
}

function startEvent({id, request}: NewRun, source: string, created_at: number): StartEvent {
  const {threadId, input, resumes, replaces} = request
  return {
    type: 'start',
    run_id: id,
    source,
    created_at,
    ...(threadId !== undefined && {thread_id: threadId}),
    input,
    ...(resumes !== undefined && {resumes}),
    ...(replaces !== undefined && {replaces})
  }
}

/** SHA-256 of the request, whatever the order of its members. */
function hashOf(request: RunRequest): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(request)))
    .digest('hex')
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  // As pairs: an object would put members that are numbers first, and `__proto__` nowhere.
  const members = Object.entries(value).filter(([, item]) => item !== undefined)
  return {'': members.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => [key, sorted(item)])}
}

/** UUID version 7 (RFC 9562, section 5.7): it begins with the time. */
export function newRunId(): string {
  const time = Date.now().toString(16).padStart(12, '0')
  const bytes = randomBytes(10)
  bytes[0] = ((bytes[0] ?? 0) & 0x0f) | 0x70
  bytes[2] = ((bytes[2] ?? 0) & 0x3f) | 0x80
  const random = bytes.toString('hex')
  return `${time.slice(0, 8)}-${time.slice(8)}-${random.slice(0, 4)}-${random.slice(4, 8)}-${random.slice(8)}`
}
