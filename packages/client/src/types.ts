/** The client's API. Durations are milliseconds, times on the server's views are seconds since the Unix epoch. */

import type {UnspoolError} from './errors.js'
import type {RunMetrics, RunStatus, UnspoolRecord} from './events.js'
import type {Transcript} from './transcript.js'

/** How records travel. `auto`: SSE by `fetch`, and a WebSocket where something in between holds SSE back. */
export type TransportName = 'auto' | 'sse' | 'ndjson' | 'eventsource' | 'websocket'

/**
 * When subscribers hear of what came: `frame` once per animation frame at most, and more seldom where rendering is
 * slow (default); `sync` at once; or after so many tokens or milliseconds. The end of a run is told at once. A hidden
 * tab gathers, and tells when it is seen again.
 */
export type Flush = 'frame' | 'sync' | {tokens: number} | {ms: number}

export interface Timeouts {
  /** From the start to the first token. Default: none. */
  firstToken?: number
  /** Between two events. Default: none; the server has its own. */
  idle?: number
  /** Of the whole run. Default: none. */
  total?: number
  /** Without a byte, not even a heartbeat: the connection is dead, and made anew. Default 45,000. */
  silence?: number
  /** Of a call that is not a stream. Default 30,000. */
  request?: number
}

export interface Backoff {
  /** The upper bound of the first wait; each further one doubles it. Default 250. */
  first?: number
  /** No wait is longer, but for the server's own `Retry-After`. Default 10,000. */
  cap?: number
  /** Failures in a row after which it gives up. Default: never. */
  attempts?: number
}

export interface ConnectOptions {
  /** Of the agent's mount: `/agent`, or `https://example.org/agent`. */
  url: string
  /** Sent with each request; a function is asked anew each time, so that tokens may change. */
  headers?: HeadersInit | (() => HeadersInit | Promise<HeadersInit>)
  /** Default `same-origin`, as `fetch` has it. */
  credentials?: RequestCredentials
  /** These three instead of the global ones. */
  fetch?: typeof fetch
  EventSource?: typeof EventSource
  WebSocket?: typeof WebSocket
  /** Default `auto`. */
  transport?: TransportName
  /** Whether transports that cannot send headers ask for a ticket first. Default: if `headers` is given. */
  tickets?: boolean
  timeouts?: Timeouts
  backoff?: Backoff
  /** Default `frame`. */
  flush?: Flush
  /** Writes the stream to the console, or to this function, line by line. */
  debug?: boolean | ((line: string) => void)
}

export interface StartOptions {
  threadId?: string
  config?: Record<string, unknown>
  /** Chosen by the client, so that a start that is sent twice starts once. Default: a new one. */
  runId?: string
  /** The run whose place the new one takes, with all that followed it in the thread: edit, regenerate. */
  replaces?: string
  /** Detaches, as {@link Run.detach}. It does not stop the run. */
  signal?: AbortSignal
}

export interface FollowOptions {
  signal?: AbortSignal
}

/** Answers to an interrupted run: the one value, or a value by interrupt id. */
export type Answer = {answer: unknown} | {answers: Record<string, unknown>}

export interface ConnectionState {
  /** `waiting`: it was lost, and is made anew at `retryAt`. `offline`: the device has no network. */
  readonly state: 'connecting' | 'open' | 'waiting' | 'offline' | 'closed'
  readonly transport: Exclude<TransportName, 'auto'>
  /** When the next try is due, in milliseconds since the Unix epoch. */
  readonly retryAt?: number
  /** What went wrong last, while it is not open. */
  readonly error?: UnspoolError
  /** Something between the server and here held the stream back. */
  readonly buffered: boolean
}

/** How a run goes, as seen from here. */
export interface Timing {
  readonly tokens: number
  readonly elapsedMs: number
  /** To the first token. */
  readonly ttftMs?: number
  readonly tokensPerSecond?: number
  readonly reconnects: number
  /** The longest time between two events. */
  readonly longestGapMs: number
}

/** A run at one moment. Immutable; what did not change is the same object as before. */
export interface RunSnapshot extends Transcript {
  readonly connection: ConnectionState
  readonly timing: Timing
  /** Why it failed, or why following it was given up. */
  readonly problem?: UnspoolError
}

/**
 * A run that is followed. An async iterable of its records: each loop gets all of them, from the first, up to the end;
 * it throws where following was given up. Leaving a loop leaves the run as it is.
 */
export interface Run extends AsyncIterable<UnspoolRecord> {
  /** Where the same was asked before, with a key or as an answer, it becomes the id of the run that the server found. */
  readonly id: string
  /** All that came, in order: also each `retry`, and what it voided. Grows; do not change it. */
  readonly records: readonly UnspoolRecord[]
  /** The same object until something changes. */
  getSnapshot(): RunSnapshot
  /** Returns the way to unsubscribe. */
  subscribe(listener: () => void): () => void
  /** Resolves at the end of the run, also of one that failed; rejects with an {@link UnspoolError} where following it was given up or detached. */
  readonly finished: Promise<RunSnapshot>
  /** Cancels the run on the server, which keeps what it has produced. Resolves once the server has noted it. */
  stop(): Promise<void>
  /** Stops following. The run goes on, and can be followed again. */
  detach(): void
  /** Makes the connection anew, now. */
  reconnect(): void
}

export interface FeedbackView {
  key: string
  score?: number | boolean
  value?: unknown
  comment?: string
  at: number
}

/** A run, as the server lists it. */
export interface RunView {
  id: string
  source: string
  status: RunStatus
  created_at: number
  first_seq: number
  last_seq: number
  thread_id?: string
  ended_at?: number
  cancel_requested?: boolean
  replaces?: string
  /** A later run took its place. */
  replaced?: boolean
  output?: unknown
  error?: unknown
  usage?: unknown
  metrics?: RunMetrics
  interrupts?: unknown
  feedback?: FeedbackView[]
  /** What it was started with, and what it was resumed with, by interrupt id: where it was asked for by its id. */
  config?: Record<string, unknown>
  answers?: Record<string, unknown>
  transcript?: Transcript
}

export interface RunPage {
  runs: RunView[]
  /** Goes into `before` for the next page. */
  next: string | null
}

export interface ThreadSummary {
  id: string
  title: string | null
  runs: number
  created_at: number
  updated_at: number
  last_run_id: string
  last_status: RunStatus
}

export interface ThreadPage {
  threads: ThreadSummary[]
  next: string | null
}

export interface ThreadView {
  id: string
  title: string | null
  /** Oldest first; those that are not replaced have their transcript. */
  runs: RunView[]
}

export type JsonSchema = Record<string, unknown>

export interface Schemas {
  name?: string
  description?: string
  input?: JsonSchema
  output?: JsonSchema
  config?: JsonSchema
  /** Media types that messages may carry. */
  accepts?: string[]
  max_body_bytes?: number
}

export interface Feedback {
  runId: string
  /** What it is about. Default `score`; the same key again replaces what was said. */
  key?: string
  score?: number | boolean
  value?: unknown
  comment?: string
}

export interface PageOptions {
  limit?: number
  before?: string
}

/** An agent on a server. Each method but `start`, `follow` and `resume` rejects with an {@link UnspoolError}. */
export interface Client {
  readonly url: string
  /** Starts a run, and follows it. */
  start(input: unknown, options?: StartOptions): Run
  /** Follows a run from its beginning. */
  follow(runId: string, options?: FollowOptions): Run
  /** Answers an interrupted run with a new one, and follows that. */
  resume(runId: string, answer: Answer, options?: Pick<StartOptions, 'config' | 'runId' | 'signal'>): Run
  cancel(runId: string): Promise<RunView>
  run(runId: string, options?: {transcript?: boolean}): Promise<RunView>
  runs(options?: PageOptions & {threadId?: string}): Promise<RunPage>
  threads(options?: PageOptions): Promise<ThreadPage>
  thread(threadId: string): Promise<ThreadView>
  schemas(): Promise<Schemas>
  feedback(feedback: Feedback): Promise<FeedbackView>
  /** Detaches all runs, and closes the socket. No run is stopped. */
  close(): void
}
