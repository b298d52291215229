/**
 * What happens in a run: the events of the native protocol, version 1 (`spec/PROTOCOL.md`), as they are on the wire.
 *
 * Members that are at their default are left out by the server.
 */

export type RunStatus = 'queued' | 'running' | 'completed' | 'failed' | 'cancelled' | 'interrupted'

/** Always first. `created_at` in seconds since the Unix epoch. */
export interface StartEvent {
  type: 'start'
  run_id: string
  source: string
  created_at: number
  attempt?: number
  thread_id?: string
  input?: unknown
  /** The interrupted run that this one continues. */
  resumes?: string
  /** The run whose place this one takes, with all that followed it in the thread. */
  replaces?: string
}

export interface MessageStartEvent {
  type: 'message_start'
  message_id: string
  /** Default `assistant`. */
  role?: string
  /** The agent or graph node that speaks. */
  name?: string
}

/** A piece of the answer, never empty. */
export interface TokenEvent {
  type: 'token'
  message_id: string
  text: string
}

/** A piece of the model's thinking, never empty. */
export interface ReasoningEvent {
  type: 'reasoning'
  message_id: string
  text: string
}

export interface MessageEndEvent {
  type: 'message_end'
  message_id: string
  finish_reason?: string
}

export interface ToolStartEvent {
  type: 'tool_start'
  call_id: string
  name: string
  message_id?: string
}

/** A fragment of the JSON of the arguments. */
export interface ToolArgsEvent {
  type: 'tool_args'
  call_id: string
  text: string
}

export interface ToolCallEvent {
  type: 'tool_call'
  call_id: string
  name: string
  args?: unknown
}

export interface ToolEndEvent {
  type: 'tool_end'
  call_id: string
  result?: unknown
  /** A safe message. */
  error?: string
}

export interface StepStartEvent {
  type: 'step_start'
  step_id: string
  name: string
  parent_id?: string
}

export interface StepEndEvent {
  type: 'step_end'
  step_id: string
  name: string
  parent_id?: string
}

/** One operation of RFC 6902. */
export interface PatchOperation {
  op: 'add' | 'remove' | 'replace' | 'move' | 'copy' | 'test'
  path: string
  from?: string
  value?: unknown
}

/** The source's state: all of it, or a patch (RFC 6902) to what it was. */
export interface StateEvent {
  type: 'state'
  snapshot?: unknown
  patch?: PatchOperation[]
}

/** An event of the source's own. One with an `id` replaces the one before it; a transient one is not kept. */
export interface DataEvent {
  type: 'data'
  name: string
  value?: unknown
  id?: string
  transient?: boolean
}

export interface CitationEvent {
  type: 'citation'
  message_id: string
  url?: string
  title?: string
  text?: string
  /** The characters of the message that it is about. */
  start?: number
  end?: number
}

export interface FileEvent {
  type: 'file'
  media_type: string
  message_id?: string
  url?: string
  /** Base64. */
  data?: string
  name?: string
}

export interface UsageEvent {
  type: 'usage'
  input_tokens?: number
  output_tokens?: number
  total_tokens?: number
  reasoning_tokens?: number
  cached_tokens?: number
  model?: string
}

/** The run waits for a person. */
export interface InterruptEvent {
  type: 'interrupt'
  interrupt_id: string
  value?: unknown
}

/** What came after `keep_seq` is void. */
export interface RetryEvent {
  type: 'retry'
  attempt: number
  reason: string
  keep_seq: number
}

export interface ErrorEvent {
  type: 'error'
  code: string
  message: string
  retryable?: boolean
  /** Seconds. */
  retry_after?: number
  error_id?: string
  detail?: unknown
}

export interface RunMetrics {
  tokens: number
  elapsed_ms: number
  ttft_ms?: number
  tokens_per_second?: number
}

/** Always last, exactly once. */
export interface EndEvent {
  type: 'end'
  status: RunStatus
  output?: unknown
  metrics?: RunMetrics
}

export type KnownEvent =
  | StartEvent
  | MessageStartEvent
  | TokenEvent
  | ReasoningEvent
  | MessageEndEvent
  | ToolStartEvent
  | ToolArgsEvent
  | ToolCallEvent
  | ToolEndEvent
  | StepStartEvent
  | StepEndEvent
  | StateEvent
  | DataEvent
  | CitationEvent
  | FileEvent
  | UsageEvent
  | InterruptEvent
  | RetryEvent
  | ErrorEvent
  | EndEvent

/** An event, numbered by its place in its run: 1, 2, 3, … An unknown type comes from a newer server; skip it. */
export interface UnspoolRecord<E = KnownEvent> {
  seq: number
  /** When it was committed, in seconds since the Unix epoch, where the transport says so (`ndjson`); else when it came. */
  at: number
  event: E
}
