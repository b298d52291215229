/** A conversation, without a framework: what {@link import('./chat.js').createChat} gives. */

import type {UnspoolError} from './errors.js'
import type {InterruptEvent} from './events.js'
import type {Message, Transcript} from './transcript.js'
import type {Answer, Client, ConnectionState, Run, Timing} from './types.js'

/** A file that a message carries: base64 `data`, or `url`. */
export interface Attachment {
  media_type: string
  data?: string
  url?: string
  name?: string
}

export interface UserMessage {
  text: string
  files?: readonly Attachment[]
}

export interface ChatOptions {
  client: Client
  /** Default: a new one. One that exists is restored, and what still runs in it is followed. */
  threadId?: string
  /** Sent with each run. */
  config?: Record<string, unknown>
  /** What a run's input is made of. Default: the text; with files, `{messages: [{role: 'user', content: blocks}]}`. */
  toInput?: (message: UserMessage) => unknown
  onError?: (error: UnspoolError) => void
  onFinish?: (turn: Turn) => void
}

/** A message, and the run that it belongs to. */
export interface ChatMessage extends Message {
  readonly runId: string
}

/** One question and its answer: one run. The same object until something in it changes. */
export interface Turn {
  readonly runId: string
  readonly input: unknown
  readonly status: Transcript['status']
  readonly messages: readonly ChatMessage[]
  readonly transcript: Transcript
  /** Open questions to the person, while they are unanswered. */
  readonly interrupts: readonly InterruptEvent[]
  readonly problem?: UnspoolError
  /** While it is followed. */
  readonly run?: Run
  readonly connection?: ConnectionState
  readonly timing?: Timing
}

/**
 * `restoring`: the thread is being loaded. `submitted`: nothing of the answer has come yet. `streaming`: it comes.
 * `interrupted`: the last turn waits for a person. `failed`: the last turn failed, or the thread cannot be loaded.
 */
export type ChatStatus = 'restoring' | 'ready' | 'submitted' | 'streaming' | 'interrupted' | 'failed'

export interface ChatSnapshot {
  readonly threadId: string
  readonly status: ChatStatus
  /** Oldest first, without what was replaced. */
  readonly turns: readonly Turn[]
  /** Those of all turns. */
  readonly messages: readonly ChatMessage[]
  readonly problem?: UnspoolError
}

/**
 * All methods may be called at any time, also while runs go on. Those that return a turn resolve once its run has ended,
 * also where it failed or is no longer followed: `turn.status` and `turn.problem` say. They reject with an
 * `UnspoolError` where there is no such turn, or a run that was to be stopped could not be.
 */
export interface Chat {
  getSnapshot(): ChatSnapshot
  subscribe(listener: () => void): () => void
  /** Adds a turn. Several may run at once. */
  send(message: string | UserMessage, options?: {config?: Record<string, unknown>}): Promise<Turn>
  /** Like {@link send}, with any input. */
  submit(input: unknown, options?: {config?: Record<string, unknown>}): Promise<Turn>
  /** Cancels a run on the server, or all that run; what they produced stays. */
  stop(runId?: string): Promise<void>
  /** Asks the same again, in place of this turn and of what followed it. Default: the last turn. Also after an error. */
  regenerate(runId?: string): Promise<Turn>
  /** Asks something else, in place of this turn and of what followed it. */
  edit(runId: string, message: string | UserMessage): Promise<Turn>
  /** Answers the interrupts of a turn: one value, or a value by interrupt id. Default: of the last turn. */
  answer(answer: Answer, runId?: string): Promise<Turn>
  /** Shows another thread, or a new one. Nothing is stopped. */
  open(threadId?: string): void
  /** Loads the thread again, and follows what runs in it: after that failed, or after `close`. */
  reload(): void
  /** Changes what is sent with each run from now on. */
  configure(options: Pick<ChatOptions, 'config' | 'toInput' | 'onError' | 'onFinish'>): void
  /** Detaches from all. Nothing is stopped; `reload` attaches again. */
  close(): void
}
